// Fasthttp is examples/hello written with valyala/fasthttp.
package main

import (
	"fmt"
	"log"
	"net"

	"github.com/jay-go/jay/bench/internal/inuse"
	"github.com/valyala/fasthttp"
)

func main() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening", ln.Addr())
	log.Fatal(fasthttp.Serve(ln, func(ctx *fasthttp.RequestCtx) {
		ctx.SetContentType("text/plain")
		if string(ctx.Path()) == inuse.Path {
			ctx.SetBodyString(inuse.Report())
			return
		}
		ctx.SetBodyString("Hello, World!")
	}))
}
