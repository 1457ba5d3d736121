package websocket

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/jay-go/jay"
)

// Send queues a message; what is queued is sent once, at the end of the
// loop's turn. It never blocks and never sends a part: it returns nil, or why
// nothing was queued: jay.ErrClosed (also once Close was called),
// jay.ErrOutputLimit, jay.ErrBudget, ErrInvalidText, ErrUnfinished. With
// jay.ConnConfig.DropNewest the connection goes on without the message.
func (c *Conn) Send(m Message) error {
	if err := m.check(); err != nil {
		return err
	}
	return c.send(m)
}

// SendText sends s as a text message.
func (c *Conn) SendText(s string) error {
	if !utf8.ValidString(s) {
		return ErrInvalidText
	}
	if b := c.jc.AvailableBuffer(); c.plain(len(s)) && c.sendable() == nil && maxHeader+len(s) <= cap(b) {
		b = appendHeader(b, bitFin|byte(opText), len(s))
		_, err := c.jc.Write(append(b, s...))
		return err
	}
	return c.send(Message{data: []byte(s), op: opText})
}

// SendBinary sends b as a binary message. b is copied.
func (c *Conn) SendBinary(b []byte) error { return c.send(Binary(b)) }

// SendJSON sends v, encoded as JSON, as a text message.
func (c *Conn) SendJSON(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return c.send(Message{data: b, op: opText})
}

// SendPart sends a part of a message whose length is not known yet, as a
// fragment of its own. The first part says whether the message is text, the
// one with last ends it; in between no other message can be sent. Parts of
// text must be cut between characters, and are not compressed. See OnWritable
// for when to go on. A part behind the first that finds no room fails the
// connection, jay.ConnConfig.DropNewest or not.
func (c *Conn) SendPart(m Message, last bool) error {
	if c.state != stateOpen {
		return jay.ErrClosed
	}
	if err := m.check(); err != nil {
		return err
	}
	first := byte(m.kind())
	if c.has(flagPart) {
		first = byte(opContinuation)
	}
	if last {
		first |= bitFin
	}
	write := c.write
	if c.has(flagPart) {
		write = c.writeWhole
	}
	if err := write(first, m.data); err != nil {
		return err
	}
	c.flags |= flagPart
	if last {
		c.flags &^= flagPart
	}
	return nil
}

// Ping sends a ping of at most 125 bytes. Pings to keep the connection alive
// are sent without it.
func (c *Conn) Ping(payload []byte) error {
	switch {
	case c.state != stateOpen:
		return jay.ErrClosed
	case len(payload) > maxControl:
		return ErrControlTooLong
	}
	return c.write(bitFin|byte(opPing), payload)
}

// sendable returns why no message can be sent now.
func (c *Conn) sendable() error {
	switch {
	case c.state != stateOpen:
		return jay.ErrClosed
	case c.has(flagPart):
		return ErrUnfinished
	}
	return nil
}

// plain reports whether a message of n bytes is sent uncompressed.
func (c *Conn) plain(n int) bool {
	return c.agreed.serverBits == 0 || n < c.h.Deflate.minSize()
}

// send sends a message that was checked.
func (c *Conn) send(m Message) error {
	if err := c.sendable(); err != nil {
		return err
	}
	first := bitFin | byte(m.kind())
	if c.plain(len(m.data)) {
		return c.write(first, m.data)
	}
	d := c.h.deflaters.get(c.h.Deflate, c.agreed.serverBits)
	defer c.h.deflaters.put(d)
	small := d.deflate(m.data, c.windows.sent())
	if !c.agreed.serverTakeover && len(small) >= len(m.data) {
		return c.write(first, m.data)
	}
	if err := c.write(first|bitRSV1, small); err != nil {
		return err
	}
	c.windows.keepSent(c.jc, m.data, c.agreed)
	return nil
}

// sendOwned is send for a message whose data nobody else has: that is not copied
// where it is long.
func (c *Conn) sendOwned(m Message) error {
	const long = 16 << 10
	if err := c.sendable(); err != nil || len(m.data) < long || !c.plain(len(m.data)) {
		return c.send(m)
	}
	var head [maxHeader]byte
	h := appendHeader(head[:0], bitFin|byte(m.kind()), len(m.data))
	_, err := c.jc.WriteSharedBehind(h, m.data)
	return err
}

// write queues one frame, whole or not at all.
func (c *Conn) write(first byte, payload []byte) error {
	if b := c.jc.AvailableBuffer(); maxHeader+len(payload) <= cap(b) {
		b = appendHeader(b, first, len(payload))
		_, err := c.jc.Write(append(b, payload...))
		return err
	}
	var head [maxHeader]byte
	_, err := c.jc.Writev(appendHeader(head[:0], first, len(payload)), payload)
	return err
}

// writeWhole is write for a frame that the peer cannot do without.
func (c *Conn) writeWhole(first byte, payload []byte) error {
	var head [maxHeader]byte
	_, err := c.jc.WriteWhole(appendHeader(head[:0], first, len(payload)), payload)
	return err
}
