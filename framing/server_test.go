package framing_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/framing"
)

// An echoCase is a framing whose server sends every message back.
type echoCase struct {
	name    string
	handler jay.Protocol
	append  func(dst []byte, m string) ([]byte, error)
}

func echoOf(name string, codec interface {
	jay.Codec[[]byte]
	Protocol(func(*jay.Conn, []byte)) *jay.Messages[[]byte]
	Send(*jay.Conn, []byte) error
}) echoCase {
	return echoCase{
		name:    name,
		handler: codec.Protocol(func(c *jay.Conn, m []byte) { codec.Send(c, m) }),
		append:  func(dst []byte, m string) ([]byte, error) { return codec.Append(dst, []byte(m)) },
	}
}

func echoLines(name string, l framing.Line) echoCase {
	return echoCase{name, l.Protocol(func(c *jay.Conn, line string) { l.Send(c, line) }), l.Append}
}

func echoes() []echoCase {
	type L = framing.LengthPrefixed
	return []echoCase{
		echoLines("Line", framing.Line{Max: 1 << 20}),
		echoLines("Line, CR LF", framing.Line{Max: 1 << 20, CRLF: true}),
		echoOf("Delimited", framing.Delimited{Max: 1 << 20}),
		echoOf("Delimited, long", framing.Delimited{Max: 1 << 20, Delimiter: "<end>", NoCopy: true}),
		echoOf("LengthPrefixed", L{}),
		echoOf("LengthPrefixed, NoCopy", L{NoCopy: true}),
		echoOf("LengthPrefixed, 3 bytes, little", L{Size: 3, Little: true}),
		echoOf("LengthPrefixed, 8 bytes", L{Size: 8}),
		echoOf("LengthPrefixed, varint", L{Size: framing.Varint}),
		echoOf("LengthPrefixed, type before", L{Offset: 1, Inclusive: true, Empty: true}),
		echoOf("workerman", framing.Workerman()),
	}
}

// TestEcho: every framing over both backends, with messages in one segment, a
// byte a segment, and long ones.
func TestEcho(t *testing.T) {
	short := []string{"0", "one", strings.Repeat("x", 1000), "grüße"}
	for _, e := range echoes() {
		t.Run(e.name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, backend string) {
				addr := serve(t, &jay.Server{Protocol: e.handler}, backend)
				checkEcho(t, dial(t, addr), e, short, 1<<20)
				checkEcho(t, dial(t, addr), e, []string{"0", "one"}, 1)
				checkEcho(t, dial(t, addr), e, []string{"one", strings.Repeat("long ", 200_000), "two"}, 64<<10)
			})
		})
	}
}

// checkEcho sends the messages in pieces of so many bytes and expects the same
// bytes back, then the end for the end.
func checkEcho(t *testing.T, conn *net.TCPConn, e echoCase, messages []string, piece int) {
	t.Helper()
	var stream []byte
	for _, m := range messages {
		var err error
		if stream, err = e.append(stream, m); err != nil {
			t.Fatal(err)
		}
	}
	got := make(chan []byte, 1)
	go func() {
		b, _ := io.ReadAll(conn)
		got <- b
	}()
	for part := range slices.Chunk(stream, piece) {
		if _, err := conn.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	conn.CloseWrite()
	if b := receive(t, got, "the echo"); !bytes.Equal(b, stream) {
		t.Errorf("%d bytes in pieces of %d: %d came back, equal %v", len(stream), piece, len(b), bytes.Equal(b, stream))
	}
}

// TestRefusedByServer: what is not allowed closes the connection at once,
// after the answers to what came before, and OnError says what it was.
func TestRefusedByServer(t *testing.T) {
	frames := framing.Workerman()
	lines := framing.Line{Max: 100}
	for _, tt := range []struct {
		name    string
		handler jay.Protocol
		send    string
		answer  string
		err     error
		says    string
	}{
		{"length 0", frames.Protocol(func(c *jay.Conn, m []byte) { frames.Send(c, m) }),
			"\x00\x00\x00\x05x\x00\x00\x00\x00", "\x00\x00\x00\x05x", framing.ErrLength, "0 is announced"},
		{"4 GiB", frames.Protocol(func(c *jay.Conn, m []byte) { frames.Send(c, m) }),
			"\x00\x00\x00\x05x\xff\xff\xff\xff", "\x00\x00\x00\x05x", framing.ErrTooLong, "4294967295 bytes is announced, at most 10485760"},
		{"long line", lines.Protocol(func(c *jay.Conn, line string) { lines.Send(c, line) }),
			"x\n" + strings.Repeat("x", 101), "x\n", framing.ErrTooLong, "more than 100 bytes"},
		{"not UTF-8", lines.Protocol(func(c *jay.Conn, line string) { lines.Send(c, line) }),
			"x\n\xff\n", "x\n", framing.ErrText, `"\xff"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, backend string) {
				errs := make(chan error, 8)
				s := &jay.Server{Protocol: tt.handler, OnError: func(_ *jay.Conn, err error) { errs <- err }}
				conn := dial(t, serve(t, s, backend))
				if _, err := conn.Write([]byte(tt.send)); err != nil {
					t.Fatal(err)
				}
				if b, err := io.ReadAll(conn); string(b) != tt.answer || err != nil {
					t.Errorf("the client gets %q, %v; want %q and the end", b, err, tt.answer)
				}
				if err := receive(t, errs, "OnError"); !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("OnError gets %v, which should be %v and say %q", err, tt.err, tt.says)
				}
			})
		})
	}
}

// countingCodec counts the calls of Parse. It belongs to one loop.
type countingCodec struct {
	framing.LengthPrefixed
	calls *int
}

func (c countingCodec) Parse(b []byte) ([]byte, int, error) {
	*c.calls++
	return c.LengthPrefixed.Parse(b)
}

// TestLongMessageParsedOnce: a message of many segments is not looked at with
// each of them.
func TestLongMessageParsedOnce(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		calls, received := 0, make(chan int, 1)
		addr := serve(t, &jay.Server{Protocol: &jay.Messages[[]byte]{
			Codec:     countingCodec{framing.LengthPrefixed{}, &calls},
			OnMessage: func(*jay.Conn, []byte) { received <- calls },
		}}, backend)
		conn := dial(t, addr)
		const size = 4 << 20
		stream, err := framing.LengthPrefixed{}.Append(nil, make([]byte, size))
		if err != nil {
			t.Fatal(err)
		}
		for part := range slices.Chunk(stream, 16<<10) {
			if _, err := conn.Write(part); err != nil {
				t.Fatal(err)
			}
		}
		// Once with the first bytes, perhaps before all of the length was
		// there, and once with all of it.
		if n := receive(t, received, "the message"); n > 3 {
			t.Errorf("a message of %d bytes in segments was parsed %d times", size, n)
		}
	})
}

// TestSendReports: an encoding that cannot be and a connection that is closed
// are errors of Send.
func TestSendReports(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		errs := make(chan error, 2)
		addr := serve(t, &jay.Server{Protocol: framing.Lines(func(c *jay.Conn, line string) {
			errs <- framing.Line{}.Send(c, "two\nlines")
			c.Close()
			errs <- framing.Line{}.Send(c, line)
		})}, backend)
		conn := dial(t, addr)
		if _, err := io.WriteString(conn, "hello\n"); err != nil {
			t.Fatal(err)
		}
		if err := receive(t, errs, "the first result"); !errors.Is(err, framing.ErrDelimiter) {
			t.Errorf("sending two lines as one: %v, want ErrDelimiter", err)
		}
		if err := receive(t, errs, "the second result"); !errors.Is(err, jay.ErrClosed) {
			t.Errorf("sending after Close: %v, want jay.ErrClosed", err)
		}
		if b, err := io.ReadAll(conn); len(b) != 0 || err != nil {
			t.Errorf("the client gets %q, %v", b, err)
		}
	})
}

// TestDropNewest: where messages are dropped they are dropped whole, and those
// behind them are read as they were sent.
func TestDropNewest(t *testing.T) {
	for _, e := range echoes() {
		t.Run(e.name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, backend string) {
				addr := serve(t, &jay.Server{Protocol: e.handler, Conn: jay.ConnConfig{MaxOutput: 4096, DropNewest: true}}, backend)
				conn := dial(t, addr)
				var sent, want []byte
				for _, m := range []string{"one", strings.Repeat("x", 5000), "two"} {
					frame, err := e.append(nil, m)
					if err != nil {
						t.Fatal(err)
					}
					sent = append(sent, frame...)
					if len(frame) < 4096 {
						want = append(want, frame...)
					}
				}
				if _, err := conn.Write(sent); err != nil {
					t.Fatal(err)
				}
				conn.CloseWrite()
				if got, err := io.ReadAll(conn); !bytes.Equal(got, want) || err != nil {
					t.Errorf("got %.100q, %v; want %.100q", got, err, want)
				}
			})
		})
	}
}
