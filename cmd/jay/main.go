// Jay is the ready-made program: a service that answers each HTTP request with
// itself, on tcp://127.0.0.1:9999, with one worker a CPU.
//
//	jay start
//
// A browser that opens the address sees what it sent. jay help lists the
// commands; see package supervise for the command line.
package main

import (
	"github.com/jay-go/jay"
	"github.com/jay-go/jay/web"
)

func main() {
	jay.Main(&jay.Server{
		Name:     "http",
		Addr:     "tcp://127.0.0.1:9999",
		Protocol: &web.Protocol{Handler: web.HandlerFunc(reflect), RawBody: true},
	})
}
