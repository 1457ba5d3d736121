//go:build unix

package loop_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/loop"
	"golang.org/x/sys/unix"
)

// packets is a socket of datagrams that records what arrives.
type packets struct {
	*loop.Packets
	r        *rig
	addr     netip.AddrPort
	arrived  chan loop.Packet
	failed   chan error
	most     int                    // loop only: the largest batch
	departed func(n int, err error) // loop only
}

func (p *packets) Arrived(batch []loop.Packet, err error) {
	if err != nil {
		p.failed <- err
	}
	p.most = max(p.most, len(batch))
	for _, k := range batch {
		p.arrived <- loop.Packet{B: bytes.Clone(k.B), Peer: k.Peer}
	}
}

func (p *packets) Departed(n int, err error) { p.departed(n, err) }

// packets opens a socket on an address of host, and a peer of it.
func (r *rig) packets(host string) (p *packets, peer *net.UDPConn) {
	r.Helper()
	own, err := net.ListenPacket("udp", net.JoinHostPort(host, "0"))
	if err != nil {
		r.Skip(err)
	}
	r.Cleanup(func() { _ = own.Close() })
	f, err := own.(*net.UDPConn).File()
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { _ = f.Close() })
	addr := own.LocalAddr().(*net.UDPAddr).AddrPort()
	p = &packets{r: r, addr: netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port()), arrived: make(chan loop.Packet, 1000), failed: make(chan error, 100)}
	sock := loop.PacketSocket{FD: int(f.Fd()), Conn: func() (net.PacketConn, error) { return net.FilePacketConn(f) }}
	r.on(func() { p.Packets, err = r.l.Packets(sock, p) })
	if err != nil {
		r.Fatal(err)
	}
	if peer, err = net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(p.addr)); err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { _ = peer.Close() })
	_ = peer.SetDeadline(time.Now().Add(patience))
	return p, peer
}

func (p *packets) expect(want string) netip.AddrPort {
	p.r.Helper()
	k := wait(p.r, fmt.Sprintf("the packet %.20q", want), p.arrived)
	if string(k.B) != want {
		p.r.Errorf("got packet %.20q of %d bytes, want %.20q of %d", k.B, len(k.B), want, len(want))
	}
	return k.Peer
}

// sendAll sends a batch by the contract of Send, and skips what cannot be sent. It
// returns which of them those were.
func (p *packets) sendAll(batch []loop.Packet) (refused []int) {
	p.r.Helper()
	done, at := make(chan bool), 0
	more := func(n int, err error) {
		if at += n; err != nil {
			refused = append(refused, at)
			at++
		}
		for at < len(batch) {
			n, err := p.Send(batch[at:])
			if at += n; err != nil {
				refused = append(refused, at)
				at++
			} else if p.Sending() {
				if _, err := p.Send(batch[at:]); err == nil {
					p.r.Error("Send took a batch while another was pending")
				}
				return
			}
		}
		close(done)
	}
	p.r.on(func() { p.departed = more; more(0, nil) })
	wait(p.r, "the end of sending", done)
	return refused
}

// TestPackets: datagrams of every size arrive whole and in order, in batches where
// there are many, and go to whom they are for.
func TestPackets(t *testing.T) {
	eachBackend(t, loop.Config{}, func(r *rig) {
		for _, host := range []string{"127.0.0.1", "::1", ""} {
			r.Run("host "+host, func(t *testing.T) {
				r := r.sub(t)
				p, peer := r.packets(host)
				from := peer.LocalAddr().(*net.UDPAddr).AddrPort()
				to := netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
				many := func(i int) string { return fmt.Sprint("packet ", i) }
				for i := range 40 {
					write(r, peer, many(i))
				}
				r.still("nothing is received yet")
				if len(p.arrived) > 0 {
					r.Error("packets arrived before StartRecv")
				}
				r.on(p.StartRecv)
				for i := range 40 {
					if got := p.expect(many(i)); got != to {
						r.Errorf("packet %d came from %v, want %v", i, got, to)
					}
				}
				for _, size := range []int{0, 1, 1400, 20_000} {
					if _, err := peer.Write(make([]byte, size)); err != nil {
						r.Fatal(err)
					}
					p.expect(string(make([]byte, size)))
				}
				r.on(p.StopRecv)
				r.still("stopped")
				write(r, peer, "later")
				r.still("stopped, a packet waits")
				r.on(p.StartRecv)
				p.expect("later")

				batch := []loop.Packet{{B: []byte("a"), Peer: to}, {B: make([]byte, 70_000), Peer: to}, {B: nil, Peer: to}, {B: []byte("b"), Peer: to}}
				if refused := p.sendAll(batch); !slices.Equal(refused, []int{1}) {
					r.Errorf("packets %v were refused, want that which is too long", refused)
				}
				buf := make([]byte, 100)
				for _, want := range []string{"a", "", "b"} {
					if n, err := peer.Read(buf); err != nil || string(buf[:n]) != want {
						r.Errorf("the peer got %q, %v; want %q", buf[:n], err, want)
					}
				}
				for range 5 {
					batch = batch[:0]
					for i := range 50 {
						batch = append(batch, loop.Packet{B: []byte(many(i)), Peer: to})
					}
					p.sendAll(batch)
					for i := range 50 {
						if n, err := peer.Read(buf); err != nil || string(buf[:n]) != many(i) {
							r.Fatalf("the peer got %q, %v; want %q", buf[:n], err, many(i))
						}
					}
				}
				r.on(func() { p.Close(); p.Close(); p.StartRecv() })
				write(r, peer, "to nobody")
				r.still("closed")
				r.on(func() {
					if _, err := p.Send(batch); !errors.Is(err, net.ErrClosed) {
						r.Errorf("Send after Close: %v, want net.ErrClosed", err)
					}
					if r.backend == "epoll" && p.most < 2 {
						r.Errorf("the largest batch had %d packets", p.most)
					}
				})
				if len(p.arrived)+len(p.failed) > 0 {
					r.Errorf("%d packets and %d errors came without being wanted", len(p.arrived), len(p.failed))
				}
			})
		}
	})
}

// TestPacketsClosedWhileSending: the last Departed comes behind Close where Sending
// says so, and then the bytes are the caller's: the race detector watches.
func TestPacketsClosedWhileSending(t *testing.T) {
	eachBackend(t, loop.Config{}, func(r *rig) {
		p, peer := r.packets("127.0.0.1")
		to := peer.LocalAddr().(*net.UDPAddr).AddrPort()
		free := make(chan bool)
		b := make([]byte, 1000)
		r.on(func() {
			p.departed = func(int, error) { close(free) }
			batch := make([]loop.Packet, 500)
			for i := range batch {
				batch[i] = loop.Packet{B: b, Peer: to}
			}
			_, _ = p.Send(batch)
			if p.Close(); !p.Sending() {
				close(free)
			}
		})
		wait(r, "the end of the Send", free)
		clear(b)
		r.still("closed")
	})
}

// TestPacketsHearOfErrors: an error of the socket is told, and does not spin.
func TestPacketsHearOfErrors(t *testing.T) {
	eachBackend(t, loop.Config{}, func(r *rig) {
		other, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			r.Fatal(err)
		}
		_ = other.Close()
		own, err := net.DialUDP("udp", nil, other.LocalAddr().(*net.UDPAddr)) // nobody is there
		if err != nil {
			r.Fatal(err)
		}
		defer own.Close()
		f, err := own.File()
		if err != nil {
			r.Fatal(err)
		}
		defer f.Close()
		p := &packets{r: r, arrived: make(chan loop.Packet, 10), failed: make(chan error, 10)}
		r.on(func() {
			sock := loop.PacketSocket{FD: int(f.Fd()), Conn: func() (net.PacketConn, error) { return net.FilePacketConn(f) }}
			if p.Packets, err = r.l.Packets(sock, p); err == nil {
				p.StartRecv()
			}
		})
		if err != nil {
			r.Fatal(err)
		}
		write(r, own, "x")
		if err := wait(r, "the refusal", p.failed); !errors.Is(err, unix.ECONNREFUSED) {
			r.Errorf("the socket heard %v, want connection refused", err)
		}
		r.still("an error was told")
		r.on(p.Close)
	})
}

// TestPacketsRefused: what a backend cannot take is refused in words.
func TestPacketsRefused(t *testing.T) {
	eachBackend(t, loop.Config{}, func(r *rig) {
		r.on(func() {
			sock := loop.PacketSocket{FD: -1}
			if r.backend == "goroutine" {
				sock.Conn = func() (net.PacketConn, error) { return nil, os.ErrInvalid }
			}
			if _, err := r.l.Packets(sock, &packets{}); err == nil {
				r.Error("a socket that is none was taken")
			}
		})
	})
}
