package main

import (
	"slices"
	"testing"
)

// newServer has a clock that the test moves.
func newServer() (s *server, now *int64) {
	s, now = &server{keys: newKeys(), commands: commands()}, new(int64)
	s.keys.now = func() int64 { return *now }
	return s, now
}

// do runs a request and returns the reply.
func do(s *server, args ...string) string {
	q := requestOf(args...)
	out, _ := s.run(nil, &q)
	return string(out)
}

// TestExpiry runs on a clock of its own.
func TestExpiry(t *testing.T) {
	s, now := newServer()
	check := func(at int64, want string, args ...string) {
		t.Helper()
		*now = at
		if got := do(s, args...); got != want {
			t.Errorf("at %d ms %q: %q, want %q", at, args, got, want)
		}
	}
	check(0, "+OK\r\n", "SET", "k", "v", "PX", "1500")
	check(1000, ":1\r\n", "TTL", "k")
	check(1499, "$1\r\nv\r\n", "GET", "k")
	check(1500, "$-1\r\n", "GET", "k")
	check(1500, ":-2\r\n", "TTL", "k")
	check(1500, ":0\r\n", "DBSIZE")

	check(2000, "+OK\r\n", "SET", "k", "1", "EX", "10")
	check(3000, ":2\r\n", "INCR", "k")
	check(3000, ":9\r\n", "TTL", "k")
	check(3000, "+OK\r\n", "SET", "k", "v")
	check(99000, "$1\r\nv\r\n", "GET", "k")
	check(99000, ":-1\r\n", "TTL", "k")
	check(99000, ":1\r\n", "EXPIRE", "k", "1")
	check(100000, "+OK\r\n", "SET", "k", "new", "NX")
	check(100000, ":1\r\n", "EXPIRE", "k", "-1")
	check(100000, ":0\r\n", "EXISTS", "k")
}

// TestSweep: keys that nobody asks for go too, and no others.
func TestSweep(t *testing.T) {
	s, now := newServer()
	for i := range 3000 {
		do(s, "SET", string(rune('a'+i)), "v", "PX", "10")
	}
	do(s, "SET", "stays", "v")
	do(s, "SET", "later", "v", "PX", "1000")
	do(s, "SET", "kept", "v", "PX", "10")
	do(s, "SET", "kept", "v")
	s.keys.sweep()
	if n := len(s.keys.all); n != 3003 {
		t.Errorf("%d keys before their time is over, want 3003", n)
	}
	*now = 500
	for range 10 {
		s.keys.sweep()
	}
	if all, expiring := len(s.keys.all), len(s.keys.expiring); all != 3 || expiring != 1 {
		t.Errorf("%d keys are left, %d of them will expire; want 3 and 1", all, expiring)
	}
}

// TestAllocations: reading, and writing over what exists, allocate nothing.
func TestAllocations(t *testing.T) {
	s, _ := newServer()
	do(s, "SET", "key", "value")
	out := make([]byte, 0, 4096)
	for _, args := range [][]string{{"GET", "key"}, {"SET", "key", "other"}, {"INCR", "number"}, {"PING"}, {"EXISTS", "key", "none"}} {
		stream, _ := codec{}.Append(nil, requestOf(args...))
		if n := testing.AllocsPerRun(1000, func() {
			q, _, _ := codec{}.Parse(stream)
			s.request = q
			out, _ = s.run(out[:0], &s.request)
		}); n != 0 {
			t.Errorf("%q: %v allocations", args, n)
		}
	}
}

// TestMemory: a short value does not keep the memory of a long one.
func TestMemory(t *testing.T) {
	s, _ := newServer()
	do(s, "SET", "key", string(make([]byte, 1<<20)))
	do(s, "SET", "key", "short")
	if n := cap(s.keys.all["key"].value); n > 1024 {
		t.Errorf("a value of 5 bytes keeps %d", n)
	}
}

// TestLongReply: a short request cannot ask for any amount of memory.
func TestLongReply(t *testing.T) {
	s, _ := newServer()
	do(s, "SET", "key", string(make([]byte, 1<<20)))
	if got := do(s, append([]string{"MGET"}, slices.Repeat([]string{"key"}, 31)...)...); len(got) < 31<<20 {
		t.Errorf("31 MiB are answered with %d bytes: %.100q", len(got), got)
	}
	if got := do(s, append([]string{"MGET"}, slices.Repeat([]string{"key"}, 1000)...)...); got != "-ERR the reply is longer than 33554432 bytes\r\n" {
		t.Errorf("1000 MiB are answered with %d bytes: %.100q", len(got), got)
	}
}
