package jay_test

import (
	"strings"
	"testing"

	"github.com/jay-go/jay"
)

// welcoming is a protocol that adds to Messages by embedding it.
type welcoming struct{ jay.Messages[string] }

func (p *welcoming) NewConn(c *jay.Conn) jay.Handler { return greeting{p.Messages.NewConn(c)} }

// greeting is a handler that adds to another by embedding it.
type greeting struct{ jay.Handler }

func (g greeting) Open(c *jay.Conn)    { _, _ = c.WriteString("hello "); g.Handler.Open(c) }
func (g greeting) Unwrap() jay.Handler { return g.Handler }

// byValue cannot be compared, neither the protocol nor its handlers: a comparison
// of two of them panics.
type byValue struct {
	*jay.Messages[string]
	_ []string
}

func (p byValue) NewConn(c *jay.Conn) jay.Handler {
	return struct {
		jay.Handler
		_ []string
	}{Handler: p.Messages.NewConn(c)}
}

// raw is a protocol that answers what it gets in capitals, as it comes.
type raw struct{ notes []string }

func (raw) Open(*jay.Conn)         {}
func (raw) Close(*jay.Conn, error) {}
func (raw) Data(c *jay.Conn, b []byte) (int, error) {
	_, err := c.Write([]byte(strings.ToUpper(string(b))))
	return len(b), err
}

// TestHandlersAreNotCompared: what a handler's type is made of does not matter,
// neither for messages that arrive together nor for an upgrade between them.
func TestHandlersAreNotCompared(t *testing.T) {
	messages := func() jay.Messages[string] {
		return jay.Messages[string]{Codec: lines{}, OnMessage: func(c *jay.Conn, line string) {
			_, _ = c.WriteString("<" + line + ">")
			if line == "up" {
				c.SetHandler(raw{notes: []string{"a slice cannot be compared"}})
			}
		}}
	}
	plain := messages()
	for name, test := range map[string]struct {
		protocol jay.Protocol
		hello    string
	}{
		"itself":                            {protocol: &plain},
		"embedded":                          {protocol: &welcoming{messages()}, hello: "hello "},
		"a value that cannot be compared":   {protocol: byValue{Messages: &plain}},
		"a value set by the one before":     {protocol: set(byValue{Messages: &plain})},
		"an embedded one set by one before": {protocol: set(&welcoming{messages()}), hello: "hello "},
	} {
		t.Run(name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, backend string) {
				addr := serve(t, &jay.Server{Protocol: test.protocol}, backend)
				c := dial(t, addr)
				send(t, c, "a\nb\nc\n")
				expect(t, c, test.hello+"<a><b><c>")
				send(t, c, "d\nup\nthe rest\n")
				expect(t, c, "<d><up>THE REST\n")
			})
		})
	}
}

// set returns a protocol whose handlers give their connections to those of next.
func set(next jay.Protocol) jay.Protocol {
	return jay.NewProtocol("setter", func(c *jay.Conn) jay.Handler { return &setter{next.NewConn(c)} })
}

// setter gives its connection to another handler.
type setter struct{ next jay.Handler }

func (s *setter) Open(c *jay.Conn)                  { c.SetHandler(s.next) }
func (*setter) Data(*jay.Conn, []byte) (int, error) { panic("never called") }
func (*setter) Close(*jay.Conn, error)              {}

// looping is a protocol whose Data knows nothing of who changes the handler.
type looping struct {
	on func(c *jay.Conn, b byte)
}

func (looping) Open(*jay.Conn)         {}
func (looping) Close(*jay.Conn, error) {}
func (h looping) Data(c *jay.Conn, b []byte) (n int, err error) {
	for ; n < len(b) && c.Reading() && !c.Replaced(); n++ {
		h.on(c, b[n])
	}
	return n, nil
}

// TestReplaced: a Handler learns that it has been replaced, and the next one is
// not taken for replaced.
func TestReplaced(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		var first, second looping
		other := func(next *looping, word string) func(*jay.Conn, byte) {
			return func(c *jay.Conn, b byte) {
				_, _ = c.WriteString(word + string(b))
				if b == '!' {
					c.SetHandler(*next)
					c.PauseRead()
					c.ResumeRead()
				}
			}
		}
		first.on, second.on = other(&second, "1"), other(&first, "2")
		c := dial(t, serve(t, &jay.Server{Protocol: every(first)}, backend))
		send(t, c, "a!bc!!d")
		expect(t, c, "1a1!2b2c2!1!2d")
	})
}
