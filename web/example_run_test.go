package web_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/web"
)

// A download, or the range of it that was asked for: WriteFile owns the file that it
// is given.
func ExampleResponseWriter_WriteFile() {
	name := temporary("0123456789")
	defer os.Remove(name)
	download := web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
		f, err := os.Open(name)
		if err != nil {
			_ = w.SetStatus(404)
			return
		}
		info, err := f.Stat()
		if err != nil {
			_ = f.Close()
			_ = w.SetStatus(500)
			return
		}
		first, last, size := int64(0), info.Size()-1, info.Size()
		if n, _ := fmt.Sscanf(r.Header("Range"), "bytes=%d-%d", &first, &last); n > 0 && 0 <= first && first <= last && last < size {
			_ = w.SetStatus(206)
			_ = w.SetHeader("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, last, size))
		} else {
			first, last = 0, size-1
		}
		_ = w.SetContentType("application/octet-stream")
		_ = w.WriteFile(f, first, last-first+1)
	})
	serving(download, func(url string) {
		request, _ := http.NewRequest("GET", url, nil)
		request.Header.Set("Range", "bytes=2-5")
		response, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			fmt.Println(err)
			return
		}
		body, err := io.ReadAll(response.Body)
		fmt.Println(response.StatusCode, response.Header.Get("Content-Range"), string(body), err)
	})
	// Output:
	// 206 bytes 2-5/10 2345 <nil>
}

// Work for a request is given up when its client leaves.
func ExampleRequest_Context() {
	started, gaveUp := make(chan bool), make(chan error)
	search := func(ctx context.Context) (string, error) {
		close(started)
		select {
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-time.After(time.Hour):
			return "found", nil
		}
	}
	poll := web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
		ctx, later := r.Context(), w.Later().Ref() // taken here, on the loop
		go func() {
			found, err := search(ctx)
			if err != nil {
				gaveUp <- err
				_ = later.Finish(nil)
				return
			}
			_ = later.Finish(func(w *web.ResponseWriter, r *web.Request) { w.WriteString(found) })
		}()
	})
	serving(poll, func(url string) {
		ctx, leave := context.WithCancel(context.Background())
		request, _ := http.NewRequestWithContext(ctx, "GET", url, nil)
		go func() { <-started; leave() }()
		_, err := http.DefaultTransport.RoundTrip(request)
		fmt.Println("the client:", err)
		fmt.Println("the search:", <-gaveUp)
	})
	// Output:
	// the client: context canceled
	// the search: the connection is closed
}

// serving serves p in this process while client runs.
func serving(p jay.Protocol, client func(url string)) {
	ctx, stop := context.WithCancel(context.Background())
	ready, ended := make(chan net.Addr, 1), make(chan error, 1)
	server := &jay.Server{Addr: "tcp://127.0.0.1:0", Protocol: p}
	server.OnReady = func(a []net.Addr) { ready <- a[0] }
	go func() { ended <- server.Serve(ctx) }()
	client("http://" + (<-ready).String() + "/")
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	stop()
	if err := <-ended; err != nil {
		fmt.Println(err)
	}
}

func temporary(text string) (name string) {
	f, err := os.CreateTemp("", "jay")
	if err == nil {
		_, err = f.WriteString(text)
	}
	if err != nil {
		panic(err)
	}
	_ = f.Close()
	return f.Name()
}
