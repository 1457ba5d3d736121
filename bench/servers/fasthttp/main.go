// Fasthttp is examples/hello written with valyala/fasthttp.
package main

import (
	"fmt"
	"io"
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
	srv := fasthttp.Server{Handler: answer, Logger: log.New(io.Discard, "", 0)} // it logs each client that leaves
	log.Fatal(srv.Serve(ln))
}

func answer(ctx *fasthttp.RequestCtx) {
	ctx.SetContentType("text/plain")
	if string(ctx.Path()) == inuse.Path {
		ctx.SetBodyString(inuse.Report())
		return
	}
	ctx.SetBodyString("Hello, World!")
}
