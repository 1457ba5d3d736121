package jay_test

import (
	"reflect"
	"strconv"
	"testing"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/internal/loop"
)

// TestConnLayout: what is touched to send to a connection at rest is in two
// cache lines, wherever the allocator puts the connection: at multiples of 32
// bytes, as its size is one that the allocator has.
func TestConnLayout(t *testing.T) {
	if strconv.IntSize != 64 {
		t.Skip("the layout is made for pointers of eight bytes")
	}
	const line, class, below = 64, 352, 320 // two sizes of the allocator
	conn, stream := reflect.TypeFor[jay.Conn](), reflect.TypeFor[loop.Stream]()
	if n := conn.Size(); n <= below || n > class {
		t.Errorf("a Conn has %d bytes, want more than %d and at most %d", n, below, class)
	}
	inStream := field(t, conn, "stream").Offset
	var begin, end uintptr = class, 0
	touch := func(offset, n uintptr) { begin, end = min(begin, offset), max(end, offset+n) }
	for _, name := range []string{"loop", "fd", "mask", "send", "open"} {
		f := field(t, stream, name)
		touch(inStream+f.Offset, f.Type.Size())
	}
	for _, name := range []string{"worker", "out", "bytesOut", "flags", "active", "stalled", "state"} {
		f := field(t, conn, name)
		touch(f.Offset, f.Type.Size())
	}
	touch(field(t, conn, "layer").Offset, 8) // whether there is one
	for _, at := range []uintptr{0, 32} {
		if lines := (at+end-1)/line - (at+begin)/line + 1; lines > 2 {
			t.Errorf("bytes %d to %d of a Conn at an address of 64n+%d are in %d lines", begin, end, at, lines)
		}
	}

	// What a message needs that comes and is answered begins with the Conn.
	for _, name := range []string{"via", "times", "handler", "stream", "worker", "out", "bytesOut", "flags", "active", "state", "layer",
		"in", "need", "pages", "bytesIn", "proto", "wheel"} {
		if f := field(t, conn, name); f.Offset+f.Type.Size() > 4*line {
			t.Errorf("%s ends at byte %d of a Conn, behind its fourth line", name, f.Offset+f.Type.Size())
		}
	}
}

func field(t *testing.T, in reflect.Type, name string) reflect.StructField {
	t.Helper()
	f, ok := in.FieldByName(name)
	if !ok {
		t.Fatalf("%v has no field %s", in, name)
	}
	return f
}
