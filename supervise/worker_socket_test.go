package supervise

import (
	"errors"
	"strings"
	"testing"
)

func TestSocketIsFoundHoweverItIsWritten(t *testing.T) {
	w := &Worker{sockets: []Socket{
		{Addr: "tcp://127.0.0.1:40123", Configured: "127.0.0.1:0"},
		{Addr: "unix:///run/x.sock", Configured: "unix:///run/x.sock"},
	}}
	for _, name := range []string{"127.0.0.1:0", "tcp://127.0.0.1:0", "tcp://127.0.0.1:40123", "127.0.0.1:40123"} {
		if s, err := w.Socket(name); err != nil || s.Addr != "tcp://127.0.0.1:40123" {
			t.Errorf("Socket(%q): %q, %v", name, s.Addr, err)
		}
	}
	var none error
	if _, none = w.Socket("127.0.0.1:81"); none == nil || errors.Unwrap(none) != nil || !strings.Contains(none.Error(), "127.0.0.1:0") {
		t.Errorf("an unknown address gave %v, want the known ones", none)
	}
}
