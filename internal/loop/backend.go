package loop

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"
)

// Socket is one open connection: a raw, non-blocking descriptor, or a net.Conn.
// A backend takes both and converts what it has no use for.
type Socket struct {
	FD   int            // -1 when Conn is set
	Conn net.Conn       // nil when FD is set
	Peer netip.AddrPort // of a TCP connection; zero for any other socket
}

// ListenSocket is one listening socket. A backend uses the form it knows:
// epoll the raw descriptor, goroutine the net.Listener.
type ListenSocket struct {
	FD int // -1 where there are no raw descriptors
	// Listener returns a listener that the backend closes; the socket that it
	// was made of stays open.
	Listener func() (net.Listener, error)
}

// backend turns what a platform offers into completions. poll and deliver are
// two steps so that a callback that never returns (panic, Goexit) loses only
// itself: deliver takes each completion off its queue before it runs it, and
// may be called again.
//
// All methods but wake belong to the loop's goroutine. A source is registered
// under the slot it got from the loop's table; a completion whose generation
// is not that of the slot's present owner is dropped.
type backend interface {
	// name is the word that selects the backend: "epoll", "goroutine".
	name() string
	// poll waits for completions, at most timeout; negative means for ever,
	// zero not at all.
	poll(timeout time.Duration) error
	// deliver runs the callbacks of what poll collected.
	deliver()
	// wake ends a poll of now or the next one. Any goroutine may call it
	// until close.
	wake()
	// close frees the backend. Nothing is registered any more.
	close() error

	addStream(s *Stream, sock Socket) error
	// startRecv and stopRecv switch the multishot receive. Stopping may be
	// lazy: completions that are under way, any number, still come, or are held
	// back for the next startRecv. A stream that is over is not started.
	// While receiving is stopped the backend calls Stream.gone and ended for
	// what becomes of the peer. Conditions that stay are looked at once.
	startRecv(s *Stream)
	stopRecv(s *Stream)
	// send: see Stream.Send. When it returns less than everything it has set
	// s.send, and the backend calls Stream.sent, or Sent itself with s.send
	// cleared, once.
	send(s *Stream, bufs [][]byte) (int, error)
	// sendFile: see Stream.SendFile; otherwise as send.
	sendFile(s *Stream, bufs [][]byte, f *os.File, off int64, n int) (int, error)
	closeWrite(s *Stream) error
	// localAddr and remoteAddr: see Stream.LocalAddr.
	localAddr(s *Stream) net.Addr
	remoteAddr(s *Stream) net.Addr
	// setUnsentMark: see Stream.SetUnsentMark.
	setUnsentMark(s *Stream, n int)
	// unacked: see Stream.Unacked.
	unacked(s *Stream) (n int, known bool)
	// unread: see Stream.Unread.
	unread(s *Stream) (n int, known bool)
	// splice: see Stream.Splice; errors.ErrUnsupported where there is none.
	splice(s, dst *Stream) error
	// unsplice: see Stream.Unsplice.
	unsplice(s *Stream) ([]byte, error)
	// closeStream ends the socket; reset sends RST. A pending send whose bytes
	// nobody reads any more is forgotten: s.send is cleared. Otherwise sent
	// follows, soon, as what is not done is given up.
	closeStream(s *Stream, reset bool)
	// detachStream ends the registration and returns the socket. The receive
	// was stopped and no send is pending. On error nothing has changed.
	detachStream(s *Stream) (net.Conn, error)

	addListener(ln *Listener, sock ListenSocket) error
	startAccept(ln *Listener)
	stopAccept(ln *Listener)
	// accepting: see Listener.Pending.
	accepting(ln *Listener) bool
	// closeListener stops for good; on tells whether accepting was wanted. The
	// backend calls Listener.closed behind the last connection.
	closeListener(ln *Listener, on bool)

	// addPackets and the like: see Packets. recvPackets has p.recv follow what it is
	// now. The backend calls Packets.arrived, and departed, or Departed itself with
	// p.send cleared; closePackets forgets or completes a pending send as closeStream does.
	addPackets(p *Packets, sock PacketSocket) error
	recvPackets(p *Packets)
	sendPackets(p *Packets, batch []Packet) (int, error)
	closePackets(p *Packets)

	addWatch(w *Watch) error
	setWatch(w *Watch) error
	removeWatch(w *Watch)
}

// backendKind is one backend of this platform; the table of them, backends,
// has the best first.
type backendKind struct {
	name string
	open func(*Loop) (backend, error)
}

// Resolve returns the name of the backend that [Config.Backend] selects here.
func Resolve(name string) (string, error) {
	kind, err := findBackend(name)
	return kind.name, err
}

func findBackend(name string) (backendKind, error) {
	if name == "" || name == "auto" {
		return backends[0], nil
	}
	names := []string{"auto"}
	for _, k := range backends {
		if k.name == name {
			return k, nil
		}
		names = append(names, k.name)
	}
	return backendKind{}, fmt.Errorf("loop backend %q: there is none of this name here; use %s", name, strings.Join(names, ", "))
}
