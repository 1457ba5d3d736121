package framing

import (
	"bytes"
	"fmt"

	"github.com/jay-go/jay"
)

// Varint as a LengthPrefixed.Size is a length of one to ten bytes, seven bits
// in each and the lowest first, as encoding/binary's Uvarint and Protocol
// Buffers have it.
const Varint = -1

// LengthPrefixed is the protocol of messages that announce their length:
//
//	Offset bytes │ length │ the rest
//
// A message is all of a frame but its length: the bytes before the length, if
// there are any, and the rest behind it.
//
//	LengthPrefixed{}                                       4 bytes, big-endian
//	LengthPrefixed{Size: 2, Little: true}                  2 bytes, little-endian
//	LengthPrefixed{Size: Varint}                           delimited Protocol Buffers
//	LengthPrefixed{Offset: 1, Inclusive: true, Empty: true}
//	                                                       PostgreSQL: a type, then a length that counts itself
//	LengthPrefixed{Size: 3, Little: true, Adjust: 1}       MySQL: the number behind the length is not counted
//	LengthPrefixed{Offset: 2, Size: 2, Inclusive: true, Adjust: -2}
//	                                                       RFC 1006: the length counts all four bytes of the header
//
// A length of a frame that is not allowed is refused before anything of the
// rest is waited for.
type LengthPrefixed struct {
	// Size is the number of bytes of the length, 1 to 8, or Varint. Zero
	// means 4.
	Size int

	// Little makes the length little-endian instead of big-endian.
	Little bool

	// Offset is the number of bytes before the length.
	Offset int

	// Inclusive says that the length counts its own bytes.
	Inclusive bool

	// Adjust is what has to be added to the length to get the number of bytes
	// that follow it, besides what Inclusive says.
	Adjust int

	// Max is the longest frame in bytes, with everything before the rest.
	// Zero means 10 MiB; ConnConfig.MaxInput, which has the same default, has to
	// be as large.
	Max int

	// Empty allows frames in which nothing follows the length.
	Empty bool

	// NoCopy makes the messages alias what arrived: they are valid only until
	// OnMessage returns. It has no effect where Offset is set.
	NoCopy bool
}

// Workerman returns workerman's frame protocol: a length of 4 bytes,
// big-endian, that counts itself.
func Workerman() LengthPrefixed { return LengthPrefixed{Inclusive: true} }

// Protocol returns a protocol that calls onMessage for each message. It panics
// if f's fields contradict each other.
func (f LengthPrefixed) Protocol(onMessage func(c *jay.Conn, m []byte)) *jay.Messages[[]byte] {
	if err := f.check(); err != nil {
		panic(err)
	}
	return &jay.Messages[[]byte]{Codec: f, OnMessage: onMessage}
}

// Send writes a message to c, on c's loop. An error says why it cannot be
// one, or what Conn.Write said.
func (f LengthPrefixed) Send(c *jay.Conn, m []byte) error { return send(c, f, m) }

// SendRef is Send from any goroutine: an error says why it cannot be a message, or
// what jay.Ref.Send said.
func (f LengthPrefixed) SendRef(ref jay.Ref, m []byte) error { return jay.SendRef(ref, f, m) }

// Check: see [jay.Checker].
func (f LengthPrefixed) Check() error { return f.check() }

// Name is the word for status.
func (LengthPrefixed) Name() string { return "frame" }

// Limits are for status: by name, with the unit at the end.
func (f LengthPrefixed) Limits() map[string]float64 { return messageLimit(f.max()) }

// Parse returns the message at the start of b and the length of its frame.
func (f LengthPrefixed) Parse(b []byte) (m []byte, n int, err error) {
	h, err := f.header(b)
	if err != nil || h.size == 0 || len(b) < h.frame {
		return nil, 0, err
	}
	rest := b[h.size:h.frame:h.frame]
	switch {
	case f.Offset > 0:
		m = append(append(make([]byte, 0, f.Offset+len(rest)), b[:f.Offset]...), rest...)
	case f.NoCopy:
		m = rest
	default:
		m = bytes.Clone(rest)
	}
	return m, h.frame, nil
}

// Length returns the length of the frame at the start of b, 0 as long as b
// does not tell.
func (f LengthPrefixed) Length(b []byte) int {
	h, err := f.header(b)
	if err != nil {
		return 0
	}
	return h.frame
}

// Append appends the frame of m. Where Offset is set, the first bytes of m are
// those before the length.
func (f LengthPrefixed) Append(dst, m []byte) ([]byte, error) {
	if err := f.check(); err != nil {
		return dst, err
	}
	rest := len(m) - f.Offset
	if rest < 0 {
		return dst, fmt.Errorf("%w: a message of %d bytes, %d come before the length alone", ErrLength, len(m), f.Offset)
	}
	announced, width, err := f.announce(rest)
	if err != nil {
		return dst, err
	}
	dst = append(dst, m[:f.Offset]...)
	dst = f.appendLength(dst, announced, width)
	return append(dst, m[f.Offset:]...), nil
}
