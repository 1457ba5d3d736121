// Package web is HTTP as a handler sees it: a [Request], a [ResponseWriter], and
// what serves them on a connection's loop. It knows no wire format: HTTP/1.1
// (docs/http.md) lies below it, and what is strict there never reaches a handler.
//
//	jay.Main(&jay.Server{
//		Addr: "tcp://127.0.0.1:8080",
//		Protocol: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
//			w.WriteString("Hello, World!")
//		}),
//	})
package web
