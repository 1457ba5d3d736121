// Wsgws is gws, doing what wsjay does.
package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/lxzan/gws"

	"github.com/jay-go/jay/bench/internal/inuse"
)

type handler struct {
	gws.BuiltinEventHandler
	mu  sync.Mutex
	all []*gws.Conn // guarded by mu
}

var payload = []byte(strings.Repeat("0123456789abcdef", 16))

func (h *handler) OnOpen(c *gws.Conn) {
	h.mu.Lock()
	h.all = append(h.all, c)
	h.mu.Unlock()
}

func (h *handler) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	b := m.Bytes()
	if n, ok := bytes.CutPrefix(b, []byte("broadcast ")); ok && len(b) < 20 {
		times, _ := strconv.Atoi(string(n))
		for range times {
			h.broadcast()
		}
	} else if len(b) == len("memory") {
		c.WriteMessage(gws.OpcodeText, []byte(inuse.Report()))
	} else {
		c.WriteMessage(m.Opcode, b)
	}
}

// broadcast is as gws documents it.
func (h *handler) broadcast() {
	b := gws.NewBroadcaster(gws.OpcodeText, payload)
	defer b.Close()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.all {
		b.Broadcast(c)
	}
}

func main() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("listening", ln.Addr())
	s := gws.NewServer(&handler{}, &gws.ServerOption{PermessageDeflate: gws.PermessageDeflate{Enabled: true}})
	fmt.Fprintln(os.Stderr, s.RunListener(ln))
}
