// Nethttp is examples/hello written with net/http.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"

	"github.com/jay-go/jay/bench/internal/inuse"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, "Hello, World!")
	})
	http.HandleFunc(inuse.Path, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, inuse.Report())
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening", ln.Addr())
	log.Fatal(http.Serve(ln, nil))
}
