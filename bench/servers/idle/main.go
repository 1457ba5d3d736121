// Idle holds connections: it sends each line back and closes who is silent.
package main

import (
	"flag"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/framing"
)

func main() {
	s := &jay.Server{
		Name:     "idle",
		Addr:     "tcp://127.0.0.1:9995",
		Protocol: framing.Lines(func(c *jay.Conn, line string) { c.WriteString(line + "\n") }),
	}
	flag.DurationVar(&s.Conn.IdleTimeout, "idle", time.Minute, "how long a connection may be silent")
	jay.Main(s)
}
