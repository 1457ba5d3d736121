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

// Messages is the [Handler] of a protocol that is a sequence of messages.
type Messages[M any] struct {
	Codec Codec[M]

	// OnMessage is called for each message, in order.
	OnMessage func(c *Conn, m M)
}

// Open does nothing: what a connection needs lies in its unused bytes.
func (h *Messages[M]) Open(*Conn) {}

// Data parses as many messages as there are, stopping when the connection
// stops reading.
func (h *Messages[M]) Data(c *Conn, b []byte) (used int, err error) {
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
func (h *Messages[M]) Limits() map[string]float64 {
	if l, ok := h.Codec.(Limited); ok {
		return l.Limits()
	}
	return nil
}

// Close does nothing.
func (h *Messages[M]) Close(*Conn, error) {}

// SendRef sends m from any goroutine. An error says that m cannot be encoded or
// what [Ref.Send] said.
func (h *Messages[M]) SendRef(ref Ref, m M) error { return SendRef(ref, h.Codec, m) }

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
func (h *Messages[M]) Send(c *Conn, m M) error {
	p, err := h.Codec.Append(c.AvailableBuffer(), m)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	_, err = c.Write(p)
	return err
}
