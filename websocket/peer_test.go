package websocket_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/internal/needs"
	"github.com/jay-go/jay/internal/reset"
	"github.com/jay-go/jay/websocket"
)

// patience is how long anything may take that should happen at once.
const patience = time.Minute

// oneLoop has all connections on one loop: a Group is one loop's.
func oneLoop(s *jay.Server) { s.Loops = 1 }

// serve runs a server with h until the test ends and returns its address.
func serve(t testing.TB, h jay.Protocol, change ...func(*jay.Server)) string {
	t.Helper()
	s := &jay.Server{Addr: "tcp://127.0.0.1:0", Loop: os.Getenv("JAY_LOOP"), Protocol: h, StopTimeout: 20 * time.Second, OnError: func(*jay.Conn, error) {}}
	for _, fn := range change {
		fn(s)
	}
	s.Loops = needs.Loops(s.Loops)
	ctx, cancel := context.WithCancel(context.Background())
	addrs, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		s.OnReady = func(a []net.Addr) { addrs <- a[0].String() }
		ended <- s.Serve(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	select {
	case addr := <-addrs:
		return addr
	case err := <-ended:
		ended <- nil
		t.Fatalf("serve: %v", err)
		return ""
	}
}

// echo is the handler that most tests talk to.
func echo() *websocket.Handler {
	return &websocket.Handler{OnMessage: func(c *websocket.Conn, m websocket.Message) { _ = c.Send(m) }}
}

const sampleKey = "dGhlIHNhbXBsZSBub25jZQ=="

// request is a correct handshake with further lines.
func request(lines ...string) string {
	head := "GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + sampleKey + "\r\n"
	for _, line := range lines {
		head += line + "\r\n"
	}
	return head + "\r\n"
}

// peer is a client that does exactly what it is told. It is a plain TCP
// connection with what is needed to write and read frames, right or wrong.
type peer struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
	head string // of the answer to the handshake
}

// dial opens a WebSocket, with lines in the handshake.
func dial(t testing.TB, addr string, lines ...string) *peer {
	t.Helper()
	p := dialRaw(t, addr)
	p.write([]byte(request(lines...)))
	p.upgraded()
	return p
}

func dialRaw(t testing.TB, addr string) *peer {
	t.Helper()
	p, err := connect(t, addr)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func connect(t testing.TB, addr string) (*peer, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { reset.Close(conn) })
	_ = conn.SetDeadline(time.Now().Add(3 * patience)) // for a whole test
	return &peer{t: t, conn: conn, r: bufio.NewReaderSize(conn, 64<<10)}, nil
}

// upgraded reads the answer 101.
func (p *peer) upgraded() {
	p.t.Helper()
	if err := p.readHead(); err != nil || !strings.HasPrefix(p.head, "HTTP/1.1 101 Switching Protocols\r\n") {
		p.t.Fatalf("the handshake was answered with %v\n%s", err, p.head)
	}
}

// readHead reads the head of an answer.
func (p *peer) readHead() error {
	p.head = ""
	for !strings.HasSuffix(p.head, "\r\n\r\n") {
		line, err := p.r.ReadString('\n')
		p.head += line
		if err != nil {
			return err
		}
	}
	return nil
}

// field returns the values of a field of the answer to the handshake.
func (p *peer) field(name string) string {
	var values []string
	for line := range strings.Lines(p.head) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(k, name) {
			values = append(values, strings.TrimSpace(v))
		}
	}
	return strings.Join(values, ", ")
}

// write sends bytes as they are. The server may have closed: what it said is
// still to be read.
func (p *peer) write(b []byte) { _, _ = p.conn.Write(b) }

func (p *peer) send(frames ...[]byte) { p.write(slices.Concat(frames...)) }

const (
	fin  = 0x80
	rsv1 = 0x40

	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

// frame makes a client's frame: first is the first byte.
func frame(first byte, payload []byte) []byte {
	return appendFrame(nil, first, payload)
}

func appendFrame(b []byte, first byte, payload []byte) []byte {
	switch n := len(payload); {
	case n < 126:
		b = append(b, first, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, first, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, first, 0x80|127), uint64(n))
	}
	var key [4]byte
	binary.LittleEndian.PutUint32(key[:], rand.Uint32())
	b = append(b, key[:]...)
	at := len(b)
	b = append(b, payload...)
	for i := range payload {
		b[at+i] ^= key[i%4]
	}
	return b
}

func text(s string) []byte { return frame(fin|opText, []byte(s)) }

func closing(code websocket.Code, reason string) []byte {
	return frame(fin|opClose, append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...))
}

// received is one frame from the server.
type received struct {
	first   byte
	payload []byte
}

func (f received) String() string {
	if f.first&15 == opClose && len(f.payload) >= 2 {
		return fmt.Sprintf("%#x close %d %q", f.first, binary.BigEndian.Uint16(f.payload), f.payload[2:])
	}
	return fmt.Sprintf("%#x %.80q (%d bytes)", f.first, f.payload, len(f.payload))
}

// next reads a frame.
func (p *peer) next() (f received, err error) {
	var head [2]byte
	if _, err := io.ReadFull(p.r, head[:]); err != nil {
		return f, err
	}
	if head[1]&0x80 != 0 {
		return f, errors.New("the server's frame is masked")
	}
	n := uint64(head[1])
	if size := map[uint64]int{126: 2, 127: 8}[n]; size > 0 {
		var long [8]byte
		if _, err := io.ReadFull(p.r, long[8-size:]); err != nil {
			return f, err
		}
		n = binary.BigEndian.Uint64(long[:])
	}
	f = received{head[0], make([]byte, n)}
	_, err = io.ReadFull(p.r, f.payload)
	return f, err
}

// expect reads a frame that must be this one.
func (p *peer) expect(first byte, payload string) {
	p.t.Helper()
	f, err := p.next()
	if err != nil {
		p.t.Fatalf("%v instead of a frame %#x %.80q", err, first, payload)
	}
	if f.first != first || string(f.payload) != payload {
		p.t.Fatalf("got %v, want %v", f, received{first, []byte(payload)})
	}
}

// expectClose reads a Close frame with code, and the end of the connection.
func (p *peer) expectClose(code websocket.Code) (reason string) {
	p.t.Helper()
	f, err := p.next()
	if err != nil {
		p.t.Fatalf("%v instead of Close %d", err, code)
	}
	if f.first != fin|opClose || len(f.payload) < 2 || websocket.Code(binary.BigEndian.Uint16(f.payload)) != code {
		p.t.Fatalf("got %v, want Close %d", f, code)
	}
	p.expectEnd()
	return string(f.payload[2:])
}

// expectEnd reads the FIN of the server.
func (p *peer) expectEnd() {
	p.t.Helper()
	rest, err := io.ReadAll(p.r)
	if err != nil || len(rest) > 0 {
		p.t.Fatalf("%.80q and %v instead of the end of the connection", rest, err)
	}
}

// alive fails when a message does not come back.
func (p *peer) alive() {
	p.t.Helper()
	p.send(text("alive?"))
	p.expect(fin|opText, "alive?")
}

// within returns what a callback has reported.
func within[T any](t testing.TB, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("%s did not come", what)
		panic("unreachable")
	}
}

// pattern returns n bytes that are neither constant nor random.
func pattern(n int) []byte {
	return bytes.Repeat([]byte("the quick brown fox "), n/20+1)[:n]
}
