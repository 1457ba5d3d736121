//go:build !linux

package supervise

import (
	"net"
	"os"

	"github.com/jay-go/jay/internal/addr"
	"github.com/jay-go/jay/internal/sys"
)

// handle keeps the listener of package net: there is no descriptor to pass on.
type handle struct {
	ln net.Listener   // of a stream socket
	pc net.PacketConn // of a datagram socket
}

func openHandle(a addr.Addr, _ int, _ bool) (*handle, string, error) {
	network, address := a.Network()
	if network == "udp" {
		pc, err := net.ListenPacket(network, address)
		if err != nil {
			return nil, "", err
		}
		return &handle{pc: pc}, pc.LocalAddr().String(), nil
	}
	if network == "unix" {
		if err := sys.UnlinkStale(address); err != nil {
			return nil, "", err
		}
	}
	ln, err := net.Listen(network, address)
	if err != nil {
		return nil, "", err
	}
	if network == "unix" {
		if err := os.Chmod(address, 0o660); err != nil {
			ln.Close()
			return nil, "", err
		}
	}
	return &handle{ln: ln}, ln.Addr().String(), nil
}

func (h *handle) fd() int { return -1 }

func (h *handle) queued() int { return 0 }

func (h *handle) listener() (net.Listener, error)     { return h.ln, nil }
func (h *handle) packetConn() (net.PacketConn, error) { return h.pc, nil }

func (h *handle) close() error {
	if h.pc != nil {
		return h.pc.Close()
	}
	return h.ln.Close()
}
