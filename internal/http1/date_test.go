package http1

import (
	"testing"
	"time"
)

func TestDateIsRenderedOnceASecond(t *testing.T) {
	var d DateCache
	at := time.Date(1994, 11, 6, 9, 49, 37, 0, time.FixedZone("", 3600))
	for _, c := range []struct {
		after time.Duration
		want  string
	}{
		{0, "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"},
		{999 * time.Millisecond, "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"},
		{time.Second, "Date: Sun, 06 Nov 1994 08:49:38 GMT\r\n"},
		{0, "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"}, // another loop may be behind
	} {
		if got := string(d.At(at.Add(c.after))[:]); got != c.want {
			t.Errorf("after %v: %q, want %q", c.after, got, c.want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { d.At(at) }); n != 0 {
		t.Errorf("%v allocations within a second", n)
	}
}
