// Faults breaks its workers on request, for trying what a supervised service
// survives:
//
//	go run ./examples/faults start --workers 4
//	curl http://127.0.0.1:9999/            ok PID, from whichever worker accepted
//	curl http://127.0.0.1:9999/panic       500; the worker lives
//	curl http://127.0.0.1:9999/exit?code=3 the worker is gone, and back at once
//	curl http://127.0.0.1:9999/oom         takes all memory; in a control group with a limit
//
// Watch it with: go run ./examples/faults status --watch
package main

import (
	"github.com/jay-go/jay"
	"github.com/jay-go/jay/web"
)

func main() {
	jay.Main(&jay.Server{
		Name:     "faults",
		Addr:     "tcp://127.0.0.1:9999",
		Protocol: web.HandlerFunc(answer),
	})
}
