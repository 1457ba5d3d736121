// Package framing has the protocols that cut a stream into messages and leave
// their meaning to the user: lines of text ([Line]), messages behind their
// length ([LengthPrefixed]) and messages up to a delimiter ([Delimited]).
//
// Each is a struct whose zero value works, a [jay.Codec] whose parser and
// encoder do no I/O, and has a Handler method that makes a handler of a
// callback and a Send method that writes a message to a connection.
//
// A limit that is zero is the default, one that is negative is none. What no
// limit here stops, ConnConfig.MaxInput does.
package framing

import (
	"errors"
	"fmt"

	"github.com/jay-go/jay"
)

// What Parse and Append refuse; the error says what came and what is allowed.
var (
	// ErrTooLong: the message is longer than Max, or its length does not fit
	// into the length field.
	ErrTooLong = errors.New("message too long")
	// ErrLength: the length cannot be that of a message.
	ErrLength = errors.New("impossible length")
	// ErrText: the line is not UTF-8.
	ErrText = errors.New("not UTF-8")
	// ErrDelimiter: the message to send contains what would end it.
	ErrDelimiter = errors.New("delimiter within the message")
)

// limit applies the rule of the package. What it returns leaves room for a
// few additions.
func limit(n, def int) int {
	const unlimited = int(^uint(0)>>1) / 4
	switch {
	case n == 0:
		return def
	case n < 0:
		return unlimited
	}
	return min(n, unlimited)
}

func messageLimit(n int) map[string]float64 {
	return map[string]float64{"max_message_bytes": float64(n)}
}

// send writes m to c as codec has it.
func send[M any](c *jay.Conn, codec jay.Codec[M], m M) error {
	p, err := codec.Append(c.AvailableBuffer(), m)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	_, err = c.Write(p)
	return err
}
