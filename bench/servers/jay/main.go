// Jay is examples/hello, and tells its memory besides.
package main

import (
	"github.com/jay-go/jay"
	"github.com/jay-go/jay/bench/internal/inuse"
	"github.com/jay-go/jay/http1"
)

func main() {
	jay.Main(&jay.Server{
		Name:     "hello",
		Addr:     "tcp://127.0.0.1:9999",
		Protocol: http1.HandlerFunc(answer),
	})
}

func answer(w *http1.ResponseWriter, r *http1.Request) {
	w.SetContentType("text/plain")
	if r.Path() == inuse.Path {
		w.WriteString(inuse.Report())
		return
	}
	w.WriteString("Hello, World!")
}
