package jay

import (
	"fmt"

	"github.com/jay-go/jay/internal/poison"
)

// Codec turns bytes into messages of type M and back. It does no I/O and keeps
// no state between calls, so one value serves all connections.
type Codec[M any] interface {
	// Parse returns the message at the start of b and its length n in bytes.
	// n is 0, with a nil error, when more bytes are needed. A message that
	// aliases b is valid only until OnMessage returns.
	Parse(b []byte) (m M, n int, err error)

	// Append appends the bytes of m to dst. It is given only messages that
	// can be encoded; what cannot is an error.
	Append(dst []byte, m M) ([]byte, error)
}

// A Codec may also have this method: it returns how many bytes the message at
// the start of b will have, as far as b tells, and 0 when it does not. A long
// message is then not parsed again at every segment.
type lengthTeller interface{ Length(b []byte) int }

// Messages is a [Protocol] that is a sequence of messages.
type Messages[M any] struct {
	Codec Codec[M]

	// OnMessage is called for each message, in order.
	OnMessage func(c *Conn, m M)
}

// Name is the codec's, if it has a method Name() string, or else "messages".
func (p *Messages[M]) Name() string {
	if n, ok := p.Codec.(interface{ Name() string }); ok {
		return n.Name()
	}
	return "messages"
}

// Check: see [Checker].
func (p *Messages[M]) Check() error {
	switch {
	case p.Codec == nil:
		return fmt.Errorf("field Codec of %T is nil", p)
	case p.OnMessage == nil:
		return fmt.Errorf("field OnMessage of %T is nil", p)
	}
	if c, ok := p.Codec.(Checker); ok {
		return c.Check()
	}
	return nil
}

// NewConn returns the handler of a connection. It has no state of its own: what a
// connection needs lies in its unused bytes.
func (p *Messages[M]) NewConn(*Conn) Handler { return (*messageHandler[M])(p) }

type messageHandler[M any] Messages[M]

func (h *messageHandler[M]) Open(*Conn)         {}
func (h *messageHandler[M]) Close(*Conn, error) {}

// Data parses as many messages as there are, stopping when the connection
// stops reading.
func (h *messageHandler[M]) Data(c *Conn, b []byte) (used int, err error) {
	for used < len(b) && c.Reading() && !c.Replaced() {
		m, n, err := h.Codec.Parse(b[used:])
		if err != nil {
			return used, fmt.Errorf("parse message: %w", err)
		}
		if n == 0 {
			if t, ok := h.Codec.(lengthTeller); ok {
				c.Need(t.Length(b[used:]))
			}
			return used, nil
		}
		c.CountRequest()
		h.OnMessage(c, m)
		poison.Fill(b[used : used+n])
		used += n
	}
	return used, nil
}

// Limits are those of the codec.
func (p *Messages[M]) Limits() map[string]float64 {
	if l, ok := p.Codec.(Limited); ok {
		return l.Limits()
	}
	return nil
}

// SendRef sends m from any goroutine. An error says that m cannot be encoded or
// what [Ref.Send] said.
func (p *Messages[M]) SendRef(ref Ref, m M) error { return SendRef(ref, p.Codec, m) }

// SendRef is [Messages.SendRef] for whoever has the codec alone.
func SendRef[M any](ref Ref, codec Codec[M], m M) error {
	p, err := codec.Append(nil, m)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	return ref.Send(p)
}

// Send writes m to c. It must be called on c's loop; an error says that m
// cannot be encoded or what Conn.Write said.
func (p *Messages[M]) Send(c *Conn, m M) error {
	b, err := p.Codec.Append(c.AvailableBuffer(), m)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	_, err = c.Write(b)
	return err
}
