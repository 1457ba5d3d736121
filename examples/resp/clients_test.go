package main

import (
	"strings"
	"testing"
)

// TestHello: what a client tells of itself is known from then on, and changes
// how it is answered.
func TestHello(t *testing.T) {
	s, _ := newServer()
	from := newClient(7)
	for _, tt := range []struct{ request, want string }{
		{"GET none", "$-1|"},
		{"HELLO", "*14|$6|server|$5|redis|$7|version|$5|7.2.0|$5|proto|:2|$2|id|:7|$4|mode|$10|standalone|$4|role|$6|master|$7|modules|*0|"},
		{"HELLO 3 SETNAME a AUTH default x", "%7|$6|server|$5|redis|$7|version|$5|7.2.0|$5|proto|:3|$2|id|:7|$4|mode|$10|standalone|$4|role|$6|master|$7|modules|*0|"},
		{"CLIENT GETNAME", "$1|a|"},
		{"CLIENT SETINFO LIB-NAME some", "+OK|"},
		{"CLIENT SETINFO lib-ver 1.2", "+OK|"},
		{"CLIENT SETINFO LIB-SIZE 1", "-ERR Unrecognized option 'LIB-SIZE'|"},
		{"CLIENT INFO", "=41|txt:id=7 name=a db=0 lib=some/1.2 resp=3\n|"},
		{"CLIENT ID", ":7|"},
		{"GET none", "_|"},
		{"MGET none none", "*2|_|_|"},
		{"SET none x XX", "_|"},
		{"CONFIG GET d*", "%1|$9|databases|$1|1|"},
		{"CONFIG GET nonsense", "%0|"},
		{"CONFIG GET proto-max-bulk-len", "%1|$18|proto-max-bulk-len|$7|8388608|"},
		{"COMMAND DOCS get", "%0|"},
		{"COMMAND INFO get", "*1|_|"},
		{"HELLO 2 AUTH me x", "-" + wrongPassword + "|"},
		{"GET none", "_|"}, // what failed has changed nothing
		{"RESET", "+RESET|"},
		{"GET none", "$-1|"},
		{"CLIENT GETNAME", "$-1|"},
		{"INFO persistence", "$26|# Persistence|loading:0||"},
	} {
		q := requestOf(strings.Fields(tt.request)...)
		q.from = from
		out, _ := s.run(nil, &q)
		if got := strings.ReplaceAll(string(out), "\r\n", "|"); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.request, got, tt.want)
		}
	}
}

// TestTooLong: who is refused for a length is told the greatest.
func TestTooLong(t *testing.T) {
	s, _ := newServer()
	do(s, "SET", "k", strings.Repeat("x", maxBulk))
	if got := do(s, "APPEND", "k", "x"); !strings.Contains(got, "8388608 bytes") {
		t.Errorf("APPEND beyond the limit: %q", got)
	}
}
