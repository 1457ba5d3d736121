package jay_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/supervise"
)

// shift is a layer that adds one to each byte on the wire. It begins with "hi ",
// once the client has said "hello" and a goroutine has thought about it, ends with
// "bye", and takes 1 on the wire for the end of what the client says.
type shift struct {
	under *jay.Under
	heard string // of the greeting
	ready bool   // the goroutine is done
	begun bool
	fails error // of the goroutine
	cut   bool  // a byte on the wire is still missing: the last was "("
}

func (l *shift) Open(under *jay.Under) { l.under = under }

func (l *shift) Ready() bool {
	if l.ready && !l.begun {
		l.begun = true
		l.under.Send([]byte("hi "))
	}
	return l.ready
}

func (l *shift) Decode(plain, wire []byte) (out []byte, used int, err error) {
	if !l.ready {
		if n := len("hello") - len(l.heard); n > 0 {
			n = min(n, len(wire))
			if l.heard += string(wire[:n]); l.heard == "hello" {
				l.think()
			} else if !strings.HasPrefix("hello", l.heard) {
				l.under.Send([]byte("alert"))
				return plain, n, errors.New("no hello")
			}
			return plain, n, nil
		}
		if l.fails != nil {
			return plain, 0, l.fails
		}
		return plain, 0, nil // the goroutine is at it
	}
	for i, b := range wire {
		switch {
		case b == 0:
			l.under.Send([]byte("alert"))
			return plain, i, errors.New("zero byte")
		case b == 1:
			return plain, i + 1, io.EOF
		case b == '(' && i == len(wire)-1:
			l.cut = true
			return plain, i, nil // it comes again
		}
		l.cut = false
		plain = append(plain, b-1)
	}
	return plain, len(wire), nil
}

// think is what a handshake does beside the loop.
func (l *shift) think() {
	ref := l.under.Ref()
	go ref.Do(func(*jay.Conn) {
		l.ready = true
		l.under.Wake()
	})
}

func (l *shift) Encode(wire, plain []byte) ([]byte, error) {
	for _, b := range plain {
		if b == 255 {
			return wire, errors.New("255 has no successor")
		}
		wire = append(wire, b+1)
	}
	return wire, nil
}

func (l *shift) End() error {
	if l.cut || l.heard != "" && !l.ready {
		return jay.ErrTruncated
	}
	return nil
}

func (l *shift) Finish(wire []byte) []byte { return append(wire, "bye"...) }

// shifted is a server of lines below a shift, and what it is told.
func shifted(t *testing.T, backend string) (addr string, events chan string) {
	events = make(chan string, 20)
	addr = serve(t, &jay.Server{
		Protocol: onLine(func(c *jay.Conn, line string) {
			c.WriteString(line)
			if line == "close" {
				c.Close()
			}
		}),
		Conn:      jay.ConnConfig{CloseTimeout: time.Second},
		Layer:     func() jay.Layer { return &shift{} },
		OnConnect: func(*jay.Conn) { events <- "connect" },
		OnClose:   func(_ *jay.Conn, err error) { events <- fmt.Sprint("close ", err) },
		OnError:   func(_ *jay.Conn, err error) { events <- fmt.Sprint("error ", err) },
	}, backend)
	return addr, events
}

func plus(s string) string {
	b, _ := (&shift{}).Encode(nil, []byte(s))
	return string(b)
}

// TestLayer: what a client sees of a layer, and the callbacks, in every end.
func TestLayer(t *testing.T) {
	hello := func(t *testing.T, c net.Conn) {
		send(t, c, "hello"+plus("abc\n"))
		expect(t, c, "hi "+plus("abc"))
	}
	fin := func(t *testing.T, c net.Conn) {
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		client func(t *testing.T, c net.Conn)
		events []string
	}{
		"the server closes": {func(t *testing.T, c net.Conn) {
			hello(t, c)
			send(t, c, plus("close\n"))
			expect(t, c, plus("close")+"bye")
			expectEOF(t, c)
		}, []string{"connect", "close <nil>"}},
		"the client ends with FIN": {func(t *testing.T, c net.Conn) {
			hello(t, c)
			fin(t, c)
			expect(t, c, "bye")
			expectEOF(t, c)
		}, []string{"connect", "close <nil>"}},
		"the client ends in the layer": {func(t *testing.T, c net.Conn) {
			hello(t, c)
			send(t, c, plus("last\n")+"\x01 and more")
			expect(t, c, plus("last")+"bye")
			expectEOF(t, c)
		}, []string{"connect", "close <nil>"}},
		"the client is cut off": {func(t *testing.T, c net.Conn) {
			hello(t, c)
			send(t, c, "(")
			fin(t, c)
			expectEOF(t, c)
		}, []string{"connect", "close receive: " + jay.ErrTruncated.Error()}},
		"the client breaks the layer": {func(t *testing.T, c net.Conn) {
			hello(t, c)
			send(t, c, "\x00")
			expect(t, c, "alertbye")
			expectEOF(t, c)
		}, []string{"connect", "error zero byte", "close zero byte"}},
		"no handshake": {func(t *testing.T, c net.Conn) {
			send(t, c, "help")
			expect(t, c, "alertbye")
			expectEOF(t, c)
		}, []string{"error no hello"}},
		"a handshake that is cut off": {func(t *testing.T, c net.Conn) {
			send(t, c, "hel")
			fin(t, c)
			expectEOF(t, c)
		}, nil},
		"byte by byte": {func(t *testing.T, c net.Conn) {
			for _, b := range []byte("hello" + plus("a\nclose\n")) {
				send(t, c, string(b))
				time.Sleep(time.Millisecond)
			}
			expect(t, c, "hi "+plus("aclose")+"bye")
			expectEOF(t, c)
		}, []string{"connect", "close <nil>"}},
	} {
		t.Run(name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, backend string) {
				addr, events := shifted(t, backend)
				c := dial(t, addr)
				test.client(t, c)
				for _, want := range test.events {
					if got := receive(t, events, want); got != want {
						t.Errorf("the server was told %q, want %q", got, want)
					}
				}
				other := dial(t, addr) // what was told too much is told before this
				hello(t, other)
				if got := receive(t, events, "connect"); got != "connect" {
					t.Errorf("the server was told %q too", got)
				}
			})
		})
	}
}

// TestLayerEncodeFails: what cannot be sent fails its connection, and says so.
func TestLayerEncodeFails(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		results := make(chan error, 1)
		addr := serve(t, &jay.Server{
			Protocol:  every(echo{}),
			Layer:     func() jay.Layer { return &shift{ready: true} },
			OnConnect: func(c *jay.Conn) { _, err := c.Write([]byte{255}); results <- err },
			OnError:   func(*jay.Conn, error) {},
		}, backend)
		c := dial(t, addr)
		if err := receive(t, results, "Write"); err == nil || !strings.Contains(err.Error(), "successor") {
			t.Errorf("Write returned %v", err)
		}
		expect(t, c, "hi bye")
		expectEOF(t, c)
	})
}

// detachable is a layer that can be given away.
type detachable struct{ shift }

func (l *detachable) Detach(conn net.Conn, wire []byte) (net.Conn, error) {
	return &unshifting{Conn: conn, wire: wire}, nil
}

// unshifting is where the layer of a connection goes on that was given away.
type unshifting struct {
	net.Conn
	wire []byte
}

func (c *unshifting) Read(p []byte) (n int, err error) {
	if n = copy(p, c.wire); n == 0 {
		n, err = c.Conn.Read(p)
	} else {
		c.wire = c.wire[n:]
	}
	for i := range p[:n] {
		p[i]--
	}
	return n, err
}

// TestDetachWithLayer: the layer goes with its connection, or the connection
// stays.
func TestDetachWithLayer(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		given, refused := make(chan net.Conn, 1), make(chan error, 1)
		protocol := onLine(func(c *jay.Conn, line string) {
			err := c.Detach(func(conn net.Conn, unused []byte, err error) {
				if err != nil {
					t.Error(err)
				}
				given <- &prefixed{Conn: conn, prefix: strings.NewReader(string(unused))}
			})
			if err != nil {
				refused <- err
				c.CloseWith([]byte("here"))
			}
		})
		c := dial(t, serve(t, &jay.Server{Protocol: protocol, Layer: func() jay.Layer { return &detachable{shift{ready: true}} }}, backend))
		send(t, c, plus("away\nunused ")+"(")
		expect(t, c, "hi ")
		conn := receive(t, given, "the connection")
		defer conn.Close()
		send(t, c, plus("later"))
		got := make([]byte, len("unused 'later"))
		if _, err := io.ReadFull(conn, got); err != nil || string(got) != "unused 'later" {
			t.Errorf("who was given the connection reads %q, %v", got, err)
		}
		c = dial(t, serve(t, &jay.Server{Protocol: protocol, Layer: func() jay.Layer { return &shift{ready: true} }}, backend))
		send(t, c, plus("away\n"))
		if err := receive(t, refused, "Detach"); err == nil || !strings.Contains(err.Error(), "LayerDetacher") {
			t.Errorf("Detach returned %v", err)
		}
		expect(t, c, "hi "+plus("here")+"bye")
		expectEOF(t, c)
	})
}

// TestSetLayer: an upgrade in the middle of a connection, and back.
func TestSetLayer(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		c := dial(t, serve(t, &jay.Server{Protocol: onLine(func(c *jay.Conn, line string) {
			c.WriteString(line + ".")
			switch line {
			case "starttls":
				c.SetLayer(&shift{ready: true})
			case "stoptls":
				c.SetLayer(nil)
			}
		})}, backend))
		send(t, c, "starttls\n")
		expect(t, c, "starttls.")
		send(t, c, plus("secret\n"))
		expect(t, c, plus("secret."))
		send(t, c, plus("stoptls\n"))
		expect(t, c, plus("stoptls."))
		send(t, c, "plain\n")
		expect(t, c, "plain.")
	})
}

// TestBytesBehindAnUpgrade: what a client, or somebody on the way, has sent in the
// clear behind the request for a layer is the layer's, and never a message.
func TestBytesBehindAnUpgrade(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		for name, later := range map[string]bool{"in the callback": false, "afterwards": true} {
			t.Run(name, func(t *testing.T) {
				lines := make(chan string, 10)
				addr := serve(t, &jay.Server{Protocol: onLine(func(c *jay.Conn, line string) {
					lines <- line
					up := func() { c.SetLayer(&shift{ready: true}) }
					switch {
					case line != "starttls":
						c.WriteString(line)
					case later:
						c.PauseRead()
						c.Loop().AfterFunc(0, func() { up(); c.ResumeRead() })
					default:
						up()
					}
				})}, backend)
				c := dial(t, addr)
				send(t, c, "starttls\ninjected\n"+plus("\nsecret\n"))
				if got := receive(t, lines, "the upgrade"); got != "starttls" {
					t.Errorf("the first line is %q", got)
				}
				for range 2 {
					if got := receive(t, lines, "a line"); got == "injected" {
						t.Error("what was sent in the clear was taken for a message of the layer")
					} else if got == "secret" {
						return
					}
				}
				t.Error("the message of the layer did not come")
			})
		}
	})
}

// TestLayerDuringDrain: a connection that is not ready when its worker is replaced
// is served when it is; a stop closes it.
func TestLayerDuringDrain(t *testing.T) {
	for reason, serves := range map[supervise.DrainReason]bool{supervise.DrainReload: true, supervise.DrainStop: false} {
		t.Run(reason.String(), func(t *testing.T) {
			eachBackend(t, func(t *testing.T, backend string) {
				ctx, cancel := context.WithCancelCause(context.Background())
				ready, ended := make(chan string, 1), make(chan error, 1)
				s := &jay.Server{Addr: "tcp://127.0.0.1:0", Loop: backend, Protocol: onLine(func(c *jay.Conn, line string) { c.CloseWith([]byte(line)) }), Proxy: loopback}
				s.OnReady = func(a []net.Addr) { ready <- a[0].String() }
				go func() { ended <- s.Serve(ctx) }()
				addr := receive(t, ready, "the address")
				c, refused := dial(t, addr), dial(t, addr)
				send(t, c, "PROXY TCP4 192.0.2.1 198.")
				send(t, refused, "a line without a header\n") // answered: c's bytes are there
				expectEOF(t, refused)
				cancel(jay.DrainWithin(reason, time.Minute))
				if !serves {
					expectEOF(t, c)
				} else {
					eventually(t, "nobody listens", func() bool {
						c, err := net.Dial("tcp", addr)
						if err == nil {
							c.Close()
						}
						return err != nil
					})
					send(t, c, "51.100.1 56324 443\r\nserved\n")
					expect(t, c, "served")
					expectEOF(t, c)
				}
				if err := receive(t, ended, "the end of Serve"); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
