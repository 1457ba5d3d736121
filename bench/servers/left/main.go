// Left holds requests whose clients leave, and tells when their contexts ended.
package main

import (
	"context"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/web"
)

// begun counts the requests that are held, ended is when the last context ended,
// in nanoseconds since 1970.
var begun, ended atomic.Int64

func main() {
	jay.Main(&jay.Server{
		Name:     "left",
		Addr:     "tcp://127.0.0.1:9999",
		Protocol: &web.Protocol{Handler: web.HandlerFunc(respond), OnHead: hold},
	})
}

func note(r *web.Request) {
	context.AfterFunc(r.Context(), func() { ended.Store(time.Now().UnixNano()) })
	begun.Add(1)
}

// hold pauses the body of an upload.
func hold(w *web.ResponseWriter, r *web.Request) bool {
	if r.Path() == "/upload" {
		note(r)
		r.OnBody(func(w *web.ResponseWriter, r *web.Request, b []byte) error { r.PauseBody(); return nil })
	}
	return true
}

func respond(w *web.ResponseWriter, r *web.Request) {
	switch r.Path() {
	case "/later":
		w.Later()
		note(r)
	case "/begun":
		w.WriteString(strconv.FormatInt(begun.Load(), 10))
	case "/ended":
		w.WriteString(strconv.FormatInt(ended.Load(), 10))
	}
}
