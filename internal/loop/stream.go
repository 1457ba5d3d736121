package loop

import (
	"errors"
	"io"
	"net"
)

// StreamHandler gets the completions of one [Stream]. A completion tells what
// has happened already, so one that is under way still comes after the call that
// stops its kind.
type StreamHandler interface {
	// Received hands over bytes that arrived; b is valid until Received
	// returns. At the end of the stream err is io.EOF and b is empty; any
	// other err says that the connection has failed, and comes also while
	// receiving is stopped and after io.EOF. After an error nothing more is
	// received. StopRecv takes back nothing that is under way: any number of
	// calls, with bytes or the end, may follow it. None follows Close.
	Received(b []byte, err error)
	// Sent ends the pending [Stream.Send]: n more of its bytes are gone, perhaps
	// none, all of them are the caller's again, and the next Send may come. It
	// comes after Close, too: see there.
	Sent(n int, err error)
	// Gone says, once, that the peer has sent FIN or has closed its socket
	// while receiving is stopped. What the peer sent before that, and then
	// io.EOF, is received as usual when receiving goes on. A connection that
	// fails is reported by Received instead.
	Gone()
}

// Stream is the loop's side of one connection. It is meant to be a field of
// the connection, so that it costs no allocation. The zero value is closed.
type Stream struct {
	h    StreamHandler
	impl any // what a backend has beside these fields; with epoll, the splices it is in

	// What a Send touches lies together, at the end. A backend that has the bytes of
	// a Send still when the stream is closed leaves send set, and calls sent.
	loop *Loop
	slot uint32
	gen  uint32
	fd   int32
	mask uint32 // what the backend was last told
	recv bool   // receiving is wanted
	send bool   // a Send is pending
	told told
	open bool
}

// told is what the handler knows of the peer's end.
type told uint8

const (
	toldGone    told = 1 << iota // Gone was called
	toldEnd                      // Received has reported io.EOF
	toldFailure                  // Received has reported a failure
)

// Attach registers a connected socket. s must be closed, with no Sent to come, and
// stay where it is until that is so again. Nothing is received before StartRecv. On
// error the socket still belongs to the caller.
func (l *Loop) Attach(s *Stream, sock Socket, h StreamHandler) error {
	if s.open || s.send {
		return errors.New("attach stream: it is in use")
	}
	*s = Stream{loop: l, h: h, fd: int32(sock.FD), open: true}
	s.slot, s.gen = l.slots.add(s)
	if err := l.be.addStream(s, sock); err != nil {
		l.slots.remove(s.slot)
		s.open = false
		return err
	}
	return nil
}

// Loop returns the loop that the stream is attached to.
func (s *Stream) Loop() *Loop { return s.loop }

// FD returns the raw descriptor, or -1 where the backend has none.
func (s *Stream) FD() int { return int(s.fd) }

// LocalAddr returns the stream's address on this side, RemoteAddr that of the
// peer, as package net has them; but an IPv4 address is never in IPv6 form, and
// the name of a Unix socket that has none is empty. They are nil once the stream
// is closed, or if the system has no answer.
func (s *Stream) LocalAddr() net.Addr { return s.addr(backend.localAddr) }

// RemoteAddr: see LocalAddr.
func (s *Stream) RemoteAddr() net.Addr { return s.addr(backend.remoteAddr) }

func (s *Stream) addr(ask func(backend, *Stream) net.Addr) net.Addr {
	if !s.open {
		return nil
	}
	return ask(s.loop.be, s)
}

// StartRecv asks for Received until StopRecv. Bytes that a lazy stop held
// back are delivered by a later turn. After an error it does nothing.
func (s *Stream) StartRecv() {
	if s.open && !s.recv && !s.over() {
		s.recv = true
		s.loop.be.startRecv(s)
	}
}

// StopRecv ends the receiving, behind what is under way. It may be called from
// Received.
func (s *Stream) StopRecv() {
	if s.open && s.recv {
		s.recv = false
		s.loop.be.stopRecv(s)
	}
}

// Send sends bufs in order and returns how many bytes were taken at once.
// When that is not all of them, a Sent follows: until then the bytes belong
// to the stream and must not change, also if it is closed meanwhile, and Send must
// not be called again. After Sent the caller sends what remains. The slice bufs
// itself is the caller's when Send returns.
func (s *Stream) Send(bufs [][]byte) (int, error) {
	if !s.open {
		return 0, net.ErrClosed
	}
	return s.loop.be.send(s, bufs)
}

// Sending tells whether a Sent is still to come.
func (s *Stream) Sending() bool { return s.send }

// Unacked returns how many bytes of those that Send and Sent have reported the peer
// has not acknowledged (over a Unix socket: has not read), as far as the system knows;
// negative while it has acknowledged more, of which Sent is still under way.
// That the kernel takes more says little of a peer: it is asked to when a third
// of a buffer of megabytes is free. It costs a system call.
func (s *Stream) Unacked() (n int, known bool) {
	if !s.open {
		return 0, false
	}
	return s.loop.be.unacked(s)
}

// Unread returns how many bytes have arrived that Received has not been given,
// where the backend knows: those that are there when a socket is closed make the
// close a reset. It costs a system call.
func (s *Stream) Unread() (n int, known bool) {
	if !s.open {
		return 0, false
	}
	return s.loop.be.unread(s)
}

// SetUnsentMark has the kernel take no more than about n bytes that it cannot
// send yet, where it can be told so: then progress of a slow peer is seen in
// smaller steps, and fewer bytes wait in vain.
func (s *Stream) SetUnsentMark(n int) {
	if s.open {
		s.loop.be.setUnsentMark(s, n)
	}
}

// CloseWrite sends FIN: the peer reads the end of the stream.
func (s *Stream) CloseWrite() error {
	if !s.open {
		return net.ErrClosed
	}
	return s.loop.be.closeWrite(s)
}

// Close closes the socket; with reset the peer is sent RST. Nothing more is
// received. If Sending reports true after it, the bytes of that Send are in use
// still, and a last completion follows: Sent. Unless the loop ends before.
func (s *Stream) Close(reset bool) {
	if s.open {
		s.loop.be.closeStream(s, reset)
		s.open, s.recv = false, false
		if !s.send {
			s.loop.slots.remove(s.slot)
		}
	}
}

// sent completes a Send of which the backend has had the bytes until now.
func (s *Stream) sent(n int, err error) {
	s.send = false
	if !s.open {
		s.loop.slots.remove(s.slot)
	}
	s.h.Sent(n, err)
}

// Detach ends the registration and gives the socket away, to be read and
// written on any goroutine. Bytes that were held back are read from it first.
// Receiving must have been stopped and no Send may be pending. After an error
// the stream goes on as before.
func (s *Stream) Detach() (net.Conn, error) {
	switch {
	case !s.open:
		return nil, net.ErrClosed
	case s.send:
		return nil, errors.New("detach stream: a Send is pending; wait for Sent")
	}
	c, err := s.loop.be.detachStream(s)
	if err == nil {
		s.open, s.recv = false, false
		s.loop.slots.remove(s.slot)
	}
	return c, err
}

// over tells whether nothing more will be received.
func (s *Stream) over() bool { return s.told&(toldEnd|toldFailure) != 0 }

// received reports bytes, also when receiving is stopped meanwhile.
func (s *Stream) received(b []byte) {
	if s.open {
		s.h.Received(b, nil)
	}
}

// ended reports the end of the stream, or its failure, once each.
func (s *Stream) ended(err error) {
	what := toldFailure
	if err == io.EOF {
		what = toldEnd
	}
	if !s.open || s.told >= what {
		return
	}
	s.recv = false
	s.told |= what
	s.h.Received(nil, err)
}

// gone reports that the peer has finished, while receiving is stopped.
func (s *Stream) gone() {
	if !s.open || s.told != 0 || s.recv {
		return
	}
	s.told |= toldGone
	s.h.Gone()
}

// SpliceHandler is a StreamHandler that [Stream.Splice] can report to.
type SpliceHandler interface {
	// Spliced reports that in bytes were taken from the stream and out bytes
	// reached the destination, which with blocked takes no more for now. What
	// lies between the two is under way in the kernel.
	Spliced(in, out int, blocked bool)
}

// Splice has the kernel carry what arrives on s to dst, for as long as both are
// open: Received is called only for the end or an error, a failure to send
// comes to dst's Sent. Nothing else may be sent on dst meanwhile. It returns
// errors.ErrUnsupported where the backend has no such way.
func (s *Stream) Splice(dst *Stream) error {
	if _, ok := s.h.(SpliceHandler); !ok || !s.open || !dst.open {
		return errors.ErrUnsupported
	}
	return s.loop.be.splice(s, dst)
}

// Unsplice ends a Splice of s. What is under way is returned, and is for the
// caller to send on dst, ahead of all else; an error says that it is lost.
// Received gets what arrives from now on.
func (s *Stream) Unsplice() ([]byte, error) {
	if !s.open {
		return nil, nil
	}
	return s.loop.be.unsplice(s)
}
