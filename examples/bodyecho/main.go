// Bodyecho answers every request with 200 and the body it brought, decoded.
// It is what the HTTP conformance cases are played against.
//
//	go run ./examples/bodyecho start --listen 127.0.0.1:8080
//	curl -d hello http://127.0.0.1:8080/
package main

import (
	"flag"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/web"
)

func main() {
	protocol := &web.Protocol{Handler: web.HandlerFunc(echo), BodyTimeout: 10 * time.Second}
	flag.DurationVar(&protocol.HeaderTimeout, "header-timeout", 0, "how long a request's head may take (0: 10s)")
	flag.DurationVar(&protocol.IdleTimeout, "idle-timeout", 0, "how long a connection may be silent (0: 75s)")
	jay.Main(&jay.Server{
		Name:     "bodyecho",
		Addr:     "tcp://127.0.0.1:9998",
		Protocol: protocol,
	})
}

func echo(w *web.ResponseWriter, r *web.Request) {
	switch r.Method() {
	case "CONNECT", "TRACE":
		_ = w.SetHeader("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
		_ = w.SetStatus(405)
		return
	}
	_ = w.SetContentType("application/octet-stream")
	_ = w.SetHeader("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(r.BodyView())
}
