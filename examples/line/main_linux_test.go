package main

import (
	"strings"
	"testing"

	"github.com/jay-go/jay/internal/exampletest"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

const asked = "Welcome. What is your name?\r\n"

// enter connects and gives a name.
func enter(s *exampletest.Service, name string) *exampletest.Peer {
	p := s.Dial("line")
	p.Expect(asked)
	p.Send(name + "\r\n")
	p.Expect("Hello, " + name + ". Say something, or /who, or /quit.\r\n")
	return p
}

func TestChat(t *testing.T) {
	s := exampletest.Start(t)
	ann := enter(s, "ann")
	bob := enter(s, "bob")
	ann.Expect("bob is here.\r\n")

	ann.Send("hello, wörld\n") // as socat sends it
	for _, p := range []*exampletest.Peer{ann, bob} {
		p.Expect("ann: hello, wörld\r\n")
	}
	bob.Send("/who\r\n/help\r\n\r\n/quit\r\nnot heard\r\n")
	bob.Expect("ann, bob\r\nThere are /who and /quit.\r\nBye.\r\n")
	bob.ExpectEnd()
	ann.Expect("bob has left.\r\n")
	ann.Send("/who\r\n")
	ann.Expect("ann\r\n")

	if st := s.Status(); st.Programs[0].Want != 1 || st.Programs[0].Protocol != "text" {
		t.Errorf("status shows %+v, want one worker that speaks text", st.Programs[0])
	}
}

func TestNames(t *testing.T) {
	s := exampletest.Start(t)
	ann := enter(s, "ann")
	p := s.Dial("line")
	p.Expect(asked)
	for _, bad := range []string{"", "two words", "a:b", "/who", strings.Repeat("x", 21)} {
		p.Send(bad + "\n")
		p.Expect("A name has 1 to 20 letters. What is yours?\r\n")
	}
	p.Send("ann\n")
	p.Expect("ann is taken. What is your name?\r\n")
	ann.Close()
	s.Eventually("the name is free", func() bool {
		p.Send("ann\n")
		return strings.HasPrefix(p.Line(), "Hello, ann.")
	})
}

// TestMischief: what a client sends reaches nobody's terminal, and what is no
// line ends its own connection only.
func TestMischief(t *testing.T) {
	s := exampletest.Start(t)
	ann, eve := enter(s, "ann"), enter(s, "eve")
	ann.Expect("eve is here.\r\n")
	eve.Send("\x1b]0;title\x07 \u202edrow\x00\n")
	for _, p := range []*exampletest.Peer{ann, eve} {
		p.Expect("eve: ]0;title drow\r\n")
	}
	eve.Send("\xff\n")
	eve.Expect("Sorry: parse message: not UTF-8: a line with \"\\xff\"; Line.Bytes allows it\r\n")
	eve.ExpectEnd()
	ann.Expect("eve has left.\r\n")

	mallory := enter(s, "mallory")
	ann.Expect("mallory is here.\r\n")
	mallory.Send(strings.Repeat("x", 1002))
	mallory.Expect("Sorry: parse message: message too long: a line of more than 1000 bytes\r\n")
	mallory.ExpectEnd()
	ann.Expect("mallory has left.\r\n")
}
