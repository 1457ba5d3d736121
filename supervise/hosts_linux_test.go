package supervise

import (
	"slices"
	"testing"

	"github.com/jay-go/jay/internal/addr"
	"github.com/jay-go/jay/internal/fleet"
)

// TestHostBook: the owner finds the addresses of names in the book, and looks up
// none itself.
func TestHostBook(t *testing.T) {
	book := hostBook{}
	book.add(lookUpHosts([]fleet.Spec{{Listen: []string{"tcp://localhost:80", "udp://localhost:53", "unix:///run/x", "tcp://127.0.0.1:1", ":2", "tcp://no-such.invalid:1"}}}))
	if len(book) != 2 {
		t.Errorf("%d names were looked up, want 2: %v", len(book), book)
	}
	for text, want := range map[string]string{
		"tcp://localhost:80": "tcp://127.0.0.1:80", "tcp://127.0.0.1:1": "tcp://127.0.0.1:1", "tcp://:2": "tcp://:2", "unix:///run/x": "unix:///run/x",
		"tcp://no-such.invalid:1": "", "tcp://not-looked-up:1": "",
	} {
		a, err := addr.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := book.literal(a)
		if err != nil && want != "" || err == nil && got.String() != want {
			t.Errorf("%s is %s, %v; want %q", text, got, err, want)
		}
	}
	if got := book.literals([]string{"tcp://localhost:80", "tcp://not-looked-up:1"}); !slices.Equal(got, []string{"tcp://127.0.0.1:80", ""}) {
		t.Errorf("the list is %q", got)
	}
}
