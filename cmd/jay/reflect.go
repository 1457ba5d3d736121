package main

import (
	"strconv"

	"github.com/jay-go/jay/web"
)

// reflect answers a request with the request, byte for byte: its head and its
// body as they arrived, chunks included. It is sent as HTML, so the last two
// fields keep a browser from executing what somebody put into a request.
func reflect(w *web.ResponseWriter, r *web.Request) {
	head, body := r.RawHeadView(), r.BodyView()
	w.SetHeader("Server", "nginx-jay")
	w.SetHeader("Connection", "keep-alive") // web says close where it closes
	w.SetContentType("text/html;charset=utf-8")
	w.SetHeader("Content-Length", strconv.Itoa(len(head)+len(body)))
	w.SetDate()
	w.SetHeader("X-Content-Type-Options", "nosniff")
	w.SetHeader("Content-Security-Policy", "sandbox; default-src 'none'")
	w.Write(head)
	w.Write(body)
}
