package e2e

import (
	wire "encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"
)

// uses is how a user would try the programs of the documentation, by their name in
// TestDocumentedPrograms.
var uses = map[string]func(t *testing.T, addr string){
	"README-1": func(t *testing.T, addr string) {
		p := dial(t, addr)
		p.send(get("/"))
		if got := p.receive(); !strings.HasSuffix(got, "\r\n\r\nHello, World!\n") {
			t.Errorf("the program of the README responds with %q", got)
		}
	},
	"programs-1": useNotes,
	"programs-2": useChat,
	"programs-3": useValues,
}

// useNotes makes a note, reads it and removes it, and does what is wrong.
func useNotes(t *testing.T, addr string) {
	p := dial(t, addr)
	for _, step := range []struct{ method, path, body, want string }{
		{"GET", "/notes", "", "200 []\n"},
		{"POST", "/notes", `{"text":"buy milk"}`, `201 {"id":1,"text":"buy milk"}` + "\n"},
		{"POST", "/notes", `buy milk`, `400 {"error":"the body is not a note: invalid character 'b' looking for beginning of value"}` + "\n"},
		{"GET", "/notes/1", "", `200 {"id":1,"text":"buy milk"}` + "\n"},
		{"PUT", "/notes/1", "", `405 {"error":"use GET or DELETE"}` + "\n"},
		{"DELETE", "/notes/1", "", "204 "},
		{"GET", "/notes/1", "", `404 {"error":"there is no note 1"}` + "\n"},
		{"PATCH", "/notes", "", `405 {"error":"use GET or POST"}` + "\n"},
		{"GET", "/", "", `404 {"error":"there is nothing but /notes"}` + "\n"},
	} {
		p.send(fmt.Sprintf("%s %s HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n%s", step.method, step.path, len(step.body), step.body))
		want := step.want
		if strings.HasPrefix(want, "204") {
			p.upTo("\r\n\r\n")
			continue // a response without a length; that it is over the next request shows
		}
		head, body, _ := strings.Cut(p.receive(), "\r\n\r\n")
		status, _, _ := strings.Cut(strings.TrimPrefix(head, "HTTP/1.1 "), " ")
		if got := status + " " + body; got != want {
			t.Errorf("%s %s: %q, want %q", step.method, step.path, got, want)
		}
	}
}

// useChat has two people talk.
func useChat(t *testing.T, addr string) {
	enter := func(name string) *peer {
		p := dial(t, addr)
		p.send("GET /?name=" + name + " HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		return p
	}
	ada := enter("ada")
	ada.upTo(`{"type":"joined","name":"ada"}`)
	bob := enter("bob")
	bob.upTo(`{"type":"joined","name":"bob"}`)
	ada.upTo(`{"type":"joined","name":"bob"}`)
	ada.send("\x81\x82\x00\x00\x00\x00hi") // a text, masked by nothing but noughts
	bob.upTo(`{"type":"said","name":"ada","text":"hi"}`)
	ada.upTo(`{"type":"said","name":"ada","text":"hi"}`)
	_ = bob.conn.Close()
	ada.upTo(`{"type":"left","name":"bob"}`)
	nobody := enter("")
	if got := nobody.receive(); !strings.HasPrefix(got, "HTTP/1.1 400 ") {
		t.Errorf("nobody was let in with %q", got)
	}
}

// useValues subscribes to a topic, gets values in order, and then no more.
func useValues(t *testing.T, addr string) {
	frame := func(text string) string {
		return string(wire.BigEndian.AppendUint16(nil, uint16(len(text)))) + text
	}
	p := dial(t, addr)
	p.send(frame("Stemperature"))
	last := uint64(0)
	for range 3 {
		got := p.upTo("temperature")
		if len(got) != 2+1+8+len("temperature") || got[2] != 'V' {
			t.Fatalf("a frame is %q", got)
		}
		value := wire.BigEndian.Uint64([]byte(got[3:]))
		if last > 0 && value != last+1 {
			t.Errorf("the value %d follows %d", value, last)
		}
		last = value
	}
	p.send(frame("Utemperature") + frame("Spressure"))
	p.upTo("pressure") // the end of temperature has been heard by then
	if got := p.upTo("pressure"); strings.Contains(got, "temperature") {
		t.Errorf("a topic goes on after its end: %q", got)
	}
	p.send(frame("?"))
	if rest, err := p.rest(); err != nil {
		t.Errorf("what is no order ends the connection with %q, %v", rest, err)
	}
}

// upTo returns what comes up to the end of text.
func (p *peer) upTo(text string) (got string) {
	p.t.Helper()
	p.conn.SetDeadline(time.Now().Add(patience))
	for one := make([]byte, 1); !strings.HasSuffix(got, text); got += string(one) {
		if _, err := p.conn.Read(one); err != nil {
			p.t.Fatalf("%v after %q, want %q", err, got, text)
		}
	}
	return got
}
