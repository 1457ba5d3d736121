// Hello answers every request with a greeting.
//
//	go run ./examples/hello start
//	curl http://127.0.0.1:9999/
package main

import (
	"github.com/jay-go/jay"
	"github.com/jay-go/jay/web"
)

func main() {
	jay.Main(&jay.Server{
		Name: "hello",
		Addr: "tcp://127.0.0.1:9999",
		Protocol: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
			w.SetContentType("text/plain")
			w.WriteString("Hello, World!")
		}),
	})
}
