package e2e

import (
	"os"
	"strings"
	"testing"
)

// TestExamples starts each example and asks it something; the list of
// examples/README.md has them all.
func TestExamples(t *testing.T) {
	list, err := os.ReadFile("../../examples/README.md")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		t.Run(e.Name(), func(t *testing.T) {
			if !strings.Contains(string(list), "["+e.Name()+"]("+e.Name()+")") {
				t.Errorf("examples/README.md does not list %s", e.Name())
			}
			s := start(t, e.Name())
			p := dial(t, s.addr)
			p.send(get("/"))
			if got := p.receive(); !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") {
				t.Errorf("GET / is answered with %q", got)
			}
		})
	}
}

func TestHello(t *testing.T) {
	s := start(t, "hello")
	p := dial(t, s.addr)
	p.send(get("/"))
	want := "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\nDate: DATE\r\n\r\nHello, World!"
	if got := withoutDates(t, p.receive()); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
