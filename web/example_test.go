package web_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/web"
)

// The shortest server. HandlerFunc brings the default limits.
func ExampleHandlerFunc() {
	server := &jay.Server{
		Addr: "tcp://127.0.0.1:8080",
		Protocol: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
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
		Protocol: &web.Protocol{
			Handler:     web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) { _, _ = w.Write(r.BodyView()) }),
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
	upload := &web.Protocol{
		OnHead: func(w *web.ResponseWriter, r *web.Request) (proceed bool) {
			if r.Header("Authorization") == "" {
				_ = w.SetStatus(401)
				return false
			}
			r.SetMaxBody(1 << 30)
			r.OnBody(func(w *web.ResponseWriter, r *web.Request, b []byte) error {
				return store.write(b)
			})
			return true
		},
		Handler: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) { _ = w.SetStatus(201) }),
	}
	_ = upload
}

// A response that takes time is given later, from another goroutine here. The
// loop serves others meanwhile.
func ExampleResponseWriter_Later() {
	query := func(name string) string { time.Sleep(time.Second); return "found " + name }
	handler := web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
		name, later := r.Query("name"), w.Later().Ref()
		go func() {
			found := query(name)
			err := later.Finish(func(w *web.ResponseWriter, r *web.Request) { _, _ = w.WriteString(found) })
			if errors.Is(err, jay.ErrClosed) {
				fmt.Println("the client has left")
			}
		}()
	})
	_ = handler
}

// A long response is written as fast as the client takes it.
func ExampleLater_OnWritable() {
	handler := web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
		later, lines := w.Later(), 0
		more := func() {
			for w := later.Writer(); lines < 1_000_000 && !later.Full(); lines++ {
				fmt.Fprintf(w, "line %d\n", lines)
				_ = w.Flush()
			}
			if lines == 1_000_000 {
				_ = later.Finish()
			}
		}
		later.OnWritable(more)
		more()
	})
	_ = handler
}

// The connection changes to another protocol, which gets the bytes behind the
// request.
func ExampleResponseWriter_Switch() {
	var chat jay.Handler // speaks the other protocol
	handler := web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
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

func ExampleCookie_Append() {
	c := web.Cookie{Name: "theme", Value: "dark", MaxAge: 30 * 24 * time.Hour, Secure: true}
	value, err := c.Append(nil)
	fmt.Println(string(value), err)
	// Output:
	// theme=dark; Path=/; Max-Age=2592000; Secure; HttpOnly; SameSite=Lax <nil>
}
