// Jay is examples/hello, and tells its memory besides.
package main

import (
	"github.com/jay-go/jay"
	"github.com/jay-go/jay/bench/internal/inuse"
	"github.com/jay-go/jay/web"
)

func main() {
	jay.Main(&jay.Server{
		Name:     "hello",
		Addr:     "tcp://127.0.0.1:9999",
		Protocol: web.HandlerFunc(answer),
	})
}

func answer(w *web.ResponseWriter, r *web.Request) {
	w.SetContentType("text/plain")
	if r.Path() == inuse.Path {
		w.WriteString(inuse.Report())
		return
	}
	w.WriteString("Hello, World!")
}
