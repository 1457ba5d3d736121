package http1_test

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/http1"
)

// The shortest server. HandlerFunc brings the default limits.
func ExampleHandlerFunc() {
	server := &jay.Server{
		Addr: "tcp://127.0.0.1:8080",
		Protocol: http1.HandlerFunc(func(w *http1.ResponseWriter, r *http1.Request) {
			_ = w.SetHeader("Content-Type", "text/plain; charset=utf-8")
			fmt.Fprintf(w, "Hello, %s!\n", r.Query("name"))
		}),
	}
	_ = server // jay.Main(server)
}

// A server with limits of its own.
func ExampleProtocol() {
	server := &jay.Server{
		Addr: "tcp://127.0.0.1:8080",
		Protocol: &http1.Protocol{
			Handler:     func(w *http1.ResponseWriter, r *http1.Request) { _, _ = w.Write(r.BodyView()) },
			MaxBody:     1 << 20,
			BodyTimeout: 30 * time.Second,
			MinBodyRate: 1000,
		},
	}
	_ = server // jay.Main(server)
}

// Whoever may not upload is refused before the body is sent; whoever may is
// taken the body from as it arrives.
func ExampleProtocol_onHead() {
	var store struct{ write func([]byte) error }
	upload := &http1.Protocol{
		OnHead: func(w *http1.ResponseWriter, r *http1.Request) (proceed bool) {
			if r.Header("Authorization") == "" {
				_ = w.SetStatus(401)
				return false
			}
			r.SetMaxBody(1 << 30)
			r.OnBody(func(w *http1.ResponseWriter, r *http1.Request, b []byte) error {
				return store.write(b)
			})
			return true
		},
		Handler: func(w *http1.ResponseWriter, r *http1.Request) { _ = w.SetStatus(201) },
	}
	_ = upload
}

// An answer that takes time is given later, from another goroutine here. The
// loop serves others meanwhile.
func ExampleResponseWriter_Later() {
	query := func(name string) string { time.Sleep(time.Second); return "found " + name }
	handler := http1.HandlerFunc(func(w *http1.ResponseWriter, r *http1.Request) {
		name, answer := r.Query("name"), w.Later().Remote()
		go func() {
			found := query(name)
			err := answer.Finish(func(w *http1.ResponseWriter, r *http1.Request) { _, _ = w.WriteString(found) })
			if errors.Is(err, jay.ErrClosed) {
				fmt.Println("the client has left")
			}
		}()
	})
	_ = handler
}

// A long answer is written as fast as the client takes it.
func ExampleLater_OnWritable() {
	handler := http1.HandlerFunc(func(w *http1.ResponseWriter, r *http1.Request) {
		answer, lines := w.Later(), 0
		more := func() {
			for w := answer.Writer(); lines < 1_000_000 && !answer.Full(); lines++ {
				fmt.Fprintf(w, "line %d\n", lines)
				_ = w.Flush()
			}
			if lines == 1_000_000 {
				_ = answer.Finish()
			}
		}
		answer.OnWritable(more)
		more()
	})
	_ = handler
}

// The connection changes to another protocol, which gets the bytes behind the
// request.
func ExampleResponseWriter_Switch() {
	var chat jay.Handler // speaks the other protocol
	handler := http1.HandlerFunc(func(w *http1.ResponseWriter, r *http1.Request) {
		if r.Upgrade() != "chat" {
			_ = w.SetStatus(426)
			_ = w.SetHeader("Upgrade", "chat")
			return
		}
		_ = w.SetStatus(101)
		_ = w.SetHeader("Upgrade", "chat")
		_ = w.Switch(chat)
	})
	_ = handler
}

// Parse is called again with more bytes until it returns a length.
func ExampleHead_Parse() {
	request := "GET /a%20b/../c?x=1 HTTP/1.1\r\nHost: a.test\r\nCookie: k=v\r\n\r\n"
	h := new(http1.Head)
	for _, arrived := range []int{20, 40, len(request)} {
		n, err := h.Parse([]byte(request[:arrived]), http1.Limits{})
		fmt.Println(n, err)
	}
	cookie, _ := h.Cookie("k")
	fmt.Println(h.Method(), h.Path(), h.Query("x"), h.Header("HOST"), cookie)
	// Output:
	// 0 <nil>
	// 0 <nil>
	// 59 <nil>
	// GET /c 1 a.test v
}

func ExampleError() {
	_, err := new(http1.Head).Parse([]byte("GET / HTTP/1.1\r\nHost : a.test\r\n\r\n"), http1.Limits{})
	if e, ok := errors.AsType[*http1.Error](err); ok {
		fmt.Println(e.Status, e.Reason)
	}
	// Output:
	// 400 a field name is not a token followed directly by a colon
}

func ExampleChunked_Next() {
	body := []byte("5\r\nhello\r\n7;ext=1\r\n, world\r\n0\r\nDigest: x\r\n\r\n")
	d, text := new(http1.Chunked), ""
	for !d.Done() {
		data, n, err := d.Next(body, http1.Limits{})
		if err != nil || n == 0 {
			break // refused, or more is needed
		}
		text += string(data)
		body = body[n:]
	}
	fmt.Println(text, d.Trailer("digest"))
	// Output:
	// hello, world x
}

func ExampleCookie_Append() {
	c := http1.Cookie{Name: "theme", Value: "dark", MaxAge: 30 * 24 * time.Hour, Secure: true}
	value, err := c.Append(nil)
	fmt.Println(string(value), err)
	// Output:
	// theme=dark; Path=/; Max-Age=2592000; Secure; HttpOnly; SameSite=Lax <nil>
}

func ExampleResponseHead() {
	h := new(http1.ResponseHead)
	_ = h.SetStatus(404)
	_ = h.Set("Content-Type", "text/plain")
	fmt.Print(strings.ReplaceAll(string(h.Append(nil, http1.Framing{Length: 3, Close: true}, nil)), "\r\n", "\n"))
	fmt.Println(h.Set("X-Name", "a\r\nSet-Cookie: b=c"))
	// Output:
	// HTTP/1.1 404 Not Found
	// Content-Type: text/plain
	// Content-Length: 3
	// Connection: close
	//
	// set field X-Name: the value holds the control character 0x0d, at byte 1
}
