package e2e

import (
	"os"
	"strings"
	"testing"
)

// TestExamplesListed: examples/README.md has them all. What each of them does
// is tested beside it, or here.
func TestExamplesListed(t *testing.T) {
	list, err := os.ReadFile("../../examples/README.md")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && !strings.Contains(string(list), "["+e.Name()+"]("+e.Name()+")") {
			t.Errorf("examples/README.md does not list %s", e.Name())
		}
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
