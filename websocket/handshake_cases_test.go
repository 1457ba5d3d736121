package websocket_test

import (
	"slices"
	"strings"
	"testing"
)

// handshakeCase is a request of testdata/handshake.jsonl.
type handshakeCase struct {
	Name, Raw, Why string
	Expect         []string
	RequireHeader  []string `json:"require_header_value"`
}

func playHandshakes(t *testing.T, addr string) {
	for _, c := range loadLines[handshakeCase](t, "testdata/handshake.jsonl", 8) {
		t.Run(c.Name, func(t *testing.T) {
			p := dialRaw(t, addr)
			p.write(latin1(c.Raw))
			if err := p.readHead(); err != nil {
				t.Fatal(err)
			}
			status := strings.Fields(p.head)[1]
			if !slices.Contains(c.Expect, status) {
				t.Errorf("status %s, want %v: %s", status, c.Expect, c.Why)
			}
			if want := c.RequireHeader; want != nil && (status == "101" || status == "426") && p.field(want[0]) != want[1] {
				t.Errorf("%s is %q, want %q", want[0], p.field(want[0]), want[1])
			}
			if status == "101" && p.field("Sec-WebSocket-Protocol") != "" {
				t.Errorf("the subprotocol %q was agreed to", p.field("Sec-WebSocket-Protocol"))
			}
		})
	}
}

func latin1(s string) []byte {
	var b []byte
	for _, r := range s {
		b = append(b, byte(r))
	}
	return b
}
