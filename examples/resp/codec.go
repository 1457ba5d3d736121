package main

import (
	"bytes"
	"strconv"
)

const (
	maxArgs   = 1 << 20
	maxBulk   = 8 << 20 // bytes of a key or a value; Redis takes 512 MiB
	maxInline = 64 << 10
	maxReply  = 32 << 20
	maxNumber = 32 // bytes of a line that begins an array or a string
)

// request is an array of strings: the name of a command and its arguments.
// They alias what arrived, and are valid until the request is answered.
type request struct {
	from *client // nil until it is answered
	n    int
	few  [4][]byte // the first ones, so that most requests allocate nothing
	rest [][]byte
}

func (q *request) arg(i int) []byte {
	if i < len(q.few) {
		return q.few[i]
	}
	return q.rest[i-len(q.few)]
}

func (q *request) add(arg []byte) {
	if q.n < len(q.few) {
		q.few[q.n] = arg
	} else {
		q.rest = append(q.rest, arg)
	}
	q.n++
}

// protocolError is what a client did, in Redis's words.
type protocolError string

func (e protocolError) Error() string { return "protocol error: " + string(e) }

// codec is the jay.Codec of requests: arrays of bulk strings, or a line of
// words as people type it.
type codec struct{}

// Name is the word for status.
func (codec) Name() string { return "resp" }

// Parse returns the request at the start of b.
func (codec) Parse(b []byte) (q request, n int, err error) {
	n, _, err = q.parse(b)
	return q, n, err
}

// Length returns how many bytes there have to be before it is worth looking
// again.
func (codec) Length(b []byte) int {
	var q request
	_, need, _ := q.parse(b)
	return need
}

// Append appends q as an array.
func (codec) Append(dst []byte, q request) ([]byte, error) {
	dst = appendHeader(dst, '*', q.n)
	for i := range q.n {
		dst = appendBulk(dst, q.arg(i))
	}
	return dst, nil
}

// parse fills q. Where bytes are missing n is 0, and need is how many there
// will be at least.
func (q *request) parse(b []byte) (n, need int, err error) {
	if len(b) == 0 || b[0] != '*' {
		return q.parseInline(b)
	}
	count, at, err := parseHeader(b, maxArgs, "invalid multibulk length")
	if at == 0 {
		return 0, 0, err
	}
	for left := count; left > 0; left-- {
		const least = len("$0\r\n\r\n")
		if at >= len(b) {
			return 0, at + left*least, nil
		}
		if b[at] != '$' {
			return 0, 0, protocolError("expected '$', got '" + string(b[at:at+1]) + "'")
		}
		size, begin, err := parseHeader(b[at:], maxBulk, "invalid bulk length")
		switch {
		case err != nil:
			return 0, 0, err
		case begin == 0:
			return 0, at + left*least, nil
		case size < 0:
			return 0, 0, protocolError("invalid bulk length")
		}
		begin += at
		end := begin + size
		at = end + len("\r\n")
		if at > len(b) {
			return 0, at + (left-1)*least, nil
		}
		if string(b[end:at]) != "\r\n" {
			return 0, 0, protocolError("a bulk string that is longer than announced")
		}
		q.add(b[begin:end:end])
	}
	return at, 0, nil
}

func (q *request) parseInline(b []byte) (n, need int, err error) {
	end := bytes.IndexByte(b[:min(len(b), maxInline)], '\n')
	if end < 0 {
		if len(b) >= maxInline {
			return 0, 0, protocolError("too big inline request")
		}
		return 0, 0, nil
	}
	for word := range bytes.FieldsSeq(b[:end]) {
		q.add(word)
	}
	return end + 1, 0, nil
}

// parseHeader reads a line of one byte and a number, as "$5\r\n", and returns
// the number and the line's length: 0 where more bytes are needed.
func parseHeader(b []byte, most int, wrong protocolError) (number, n int, err error) {
	if len(b) >= 4 && b[1]-'0' <= 9 && b[2] == '\r' && b[3] == '\n' {
		return int(b[1] - '0'), 4, nil
	}
	end := bytes.IndexByte(b[:min(len(b), maxNumber)], '\r')
	switch {
	case end < 0 && len(b) >= maxNumber:
		return 0, 0, wrong
	case end < 0 || end+1 == len(b):
		return 0, 0, nil
	}
	value, ok := parseInt(b[1:end])
	switch {
	case !ok || b[end+1] != '\n':
		return 0, 0, wrong
	case value > int64(most):
		return 0, 0, wrong + protocolError(": at most "+strconv.Itoa(most))
	}
	return int(max(value, -1)), end + 2, nil
}

func appendHeader(dst []byte, kind byte, n int) []byte {
	return append(strconv.AppendInt(append(dst, kind), int64(n), 10), "\r\n"...)
}

func appendBulk(dst, value []byte) []byte {
	dst = append(appendHeader(dst, '$', len(value)), value...)
	return append(dst, "\r\n"...)
}
