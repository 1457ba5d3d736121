package main

import (
	"strconv"
	"strings"
)

func appendOK(out []byte) []byte { return append(out, "+OK\r\n"...) }

func appendInt(out []byte, n int) []byte { return appendHeader(out, ':', n) }

// appendValue appends an entry's value, or that there is none.
func appendValue(out []byte, q *request, e *entry) []byte {
	if e == nil {
		return appendNull(out, q)
	}
	return appendBulk(out, e.value)
}

func appendError(out []byte, text ...string) []byte {
	out = append(out, '-')
	for _, t := range text {
		out = append(out, t...)
	}
	return append(out, "\r\n"...)
}

func appendNotInteger(out []byte) []byte {
	return appendError(out, "ERR value is not an integer or out of range")
}

// appendUnknown names the command and the beginning of its arguments.
func appendUnknown(out []byte, q *request) []byte {
	const most = 128
	args := ""
	for i := 1; i < q.n && len(args) < most; i++ {
		args += "'" + printable(q.arg(i), most-len(args)) + "' "
	}
	return appendError(out, "ERR unknown command '", printable(q.arg(0), most), "', with args beginning with: ", args)
}

// printable is at most so much of b as text for a reply of one line.
func printable(b []byte, most int) string {
	return strings.NewReplacer("\r", " ", "\n", " ").Replace(string(b[:min(len(b), most)]))
}

// parseInt reads an integer in the one form that Redis takes: no plus sign, no
// zero in front, nothing around it.
func parseInt(b []byte) (int64, bool) {
	if len(b) == 1 && b[0]-'0' <= 9 {
		return int64(b[0] - '0'), true
	}
	const longest = len("-9223372036854775808")
	if len(b) == 0 || len(b) > longest {
		return 0, false
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	var again [longest]byte
	return n, err == nil && string(strconv.AppendInt(again[:0], n, 10)) == string(b)
}

// is compares without regard to case; word is in lower case.
func is(b []byte, word string) bool {
	var lower [16]byte
	return len(b) == len(word) && string(appendLower(lower[:0], b)) == word
}

func appendLower(dst, b []byte) []byte {
	for _, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}
