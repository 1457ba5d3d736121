// Hello answers every request with a greeting.
//
//	go run ./examples/hello start
//	curl http://127.0.0.1:9999/
package main

import (
	"github.com/jay-go/jay"
	"github.com/jay-go/jay/http1"
)

func main() {
	jay.Main(&jay.Server{
		Name: "hello",
		Addr: "tcp://127.0.0.1:9999",
		Protocol: http1.HandlerFunc(func(w *http1.ResponseWriter, r *http1.Request) {
			w.SetContentType("text/plain")
			w.WriteString("Hello, World!")
		}),
	})
}
