package websocket

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// Message is text or binary data. Inside OnMessage it refers to memory of the
// connection, which is used again once OnMessage has returned.
type Message struct {
	data  []byte
	op    opcode
	valid bool // text that is known to be UTF-8
}

// Text makes a message of s, which must be UTF-8.
func Text(s string) Message {
	return Message{data: []byte(s), op: opText, valid: utf8.ValidString(s)}
}

// Binary makes a message of b, which must not change until it was sent.
func Binary(b []byte) Message { return Message{data: b, op: opBinary} }

// JSON makes a text message of v, encoded as JSON.
func JSON(v any) (Message, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return Message{}, fmt.Errorf("encode message: %w", err)
	}
	return Message{data: b, op: opText, valid: true}, nil
}

// IsText reports whether the message is text, which is UTF-8.
func (m Message) IsText() bool { return m.op == opText }

// Len returns the length in bytes.
func (m Message) Len() int { return len(m.data) }

// Text returns a copy of the data as a string.
func (m Message) Text() string { return string(m.data) }

// Bytes returns a copy of the data.
func (m Message) Bytes() []byte { return append([]byte(nil), m.data...) }

// View returns the data without a copy. It must not be changed, and inside
// OnMessage it is valid until that returns.
func (m Message) View() []byte { return m.data }

// Clone returns the message with data of its own.
func (m Message) Clone() Message {
	m.data = m.Bytes()
	return m
}

// Decode decodes the data as JSON into v.
func (m Message) Decode(v any) error {
	if err := json.Unmarshal(m.data, v); err != nil {
		return fmt.Errorf("decode message: %w", err)
	}
	return nil
}

// kind is the message's opcode; the zero Message is empty binary.
func (m Message) kind() opcode {
	if m.op == opText {
		return opText
	}
	return opBinary
}

// check reports whether the message may be sent.
func (m Message) check() error {
	if m.op == opText && !m.valid && !utf8.Valid(m.data) {
		return ErrInvalidText
	}
	return nil
}
