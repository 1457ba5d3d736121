package websocket_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/reset"
)

// payload is bytes as the cases write them.
type payload struct {
	Hex *string
	Rep string
	Len int
}

func (p payload) bytes() []byte {
	if p.Hex != nil {
		return unhex(*p.Hex)
	}
	unit := unhex(p.Rep)
	if len(unit) == 0 {
		return nil
	}
	return bytes.Repeat(unit, p.Len/len(unit)+1)[:p.Len]
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

type step struct {
	Op             string
	Fin, Binary    bool
	Opcode, RSV    byte
	Payload        payload
	Chop, Fragment int
	Len            int
	Code           *uint16
	Reason         *string
	ReasonHex      *string `json:"reason_hex"`
	S              float64
	Tag            string
}

type wsCase struct {
	ID            string
	Steps         []step
	Expect        map[string][][]json.RawMessage
	Echo          bool
	Repeat        int
	Informational bool
	SuppressClose bool `json:"suppress_close"`
	Close         struct {
		CloseCode    []int
		ClosedByMe   bool
		RequireClean bool
	}
}

// want returns the events of the strict verdict, each as its text.
func (c *wsCase) want() (events []string) {
	if c.Echo {
		return c.wantEcho()
	}
	for _, e := range c.Expect["OK"] {
		var kind, tag string
		var p payload
		must(json.Unmarshal(e[0], &kind))
		if kind == "timeout" {
			must(json.Unmarshal(e[1], &tag))
			events = append(events, "timeout "+tag)
			continue
		}
		must(json.Unmarshal(e[1], &p))
		binary := len(e) > 2 && string(e[2]) == "true"
		events = append(events, eventText(kind, p.bytes(), binary))
	}
	return events
}

func (c *wsCase) wantEcho() []string {
	var all []byte
	var binary *bool
	for _, s := range c.Steps {
		if s.Op == "frame" || s.Op == "message" {
			all = append(all, s.Payload.bytes()...)
			if binary == nil {
				is := s.Binary || s.Opcode == opBinary
				binary = &is
			}
		}
	}
	return slices.Repeat([]string{eventText("message", all, *binary)}, max(c.Repeat, 1))
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func eventText(kind string, p []byte, binary bool) string {
	return kind + " " + strconv.FormatBool(binary) + " " + string(p)
}

// playing is one case on one connection.
type playing struct {
	c        *wsCase
	p        *peer
	want     []string
	patience time.Duration

	mu       sync.Mutex
	changed  chan struct{} // has an element when something below has changed
	events   []string      // guarded by mu, as all that follows
	eof      bool
	first    string // whose Close frame came first: "client", "server", "nobody"
	sent     bool   // our Close frame
	got      bool   // theirs
	code     int    // in theirs; 0: none
	breaches []string
}

func (g *playing) locked(fn func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	fn()
}

func (g *playing) notify() {
	select {
	case g.changed <- struct{}{}:
	default:
	}
}

// wait waits until ok, which is called locked, or for d.
func (g *playing) wait(d time.Duration, ok func() bool) (met bool) {
	end := time.After(d)
	for {
		if g.locked(func() { met = ok() }); met {
			return true
		}
		select {
		case <-g.changed:
		case <-end:
			return false
		}
	}
}

// receive collects what comes until the end.
func (g *playing) receive() {
	var message []byte
	var op byte
	for {
		f, err := g.p.next()
		if err != nil {
			break
		}
		if f.first&0x70 != 0 {
			g.breach("a reserved bit is set")
		}
		switch f.first & 15 {
		case opClose:
			g.gotClose(f.payload)
		case opPing, opPong:
			if f.first&fin == 0 || len(f.payload) > 125 {
				g.breach("a control frame is fragmented or too long")
			}
			kind := map[byte]string{opPing: "ping", opPong: "pong"}[f.first&15]
			g.add(eventText(kind, f.payload, false))
		default:
			if (f.first&15 == opContinuation) != (op != 0) {
				g.breach("fragments out of order")
			}
			if f.first&15 != opContinuation {
				op = f.first & 15
			}
			if message = append(message, f.payload...); f.first&fin != 0 {
				g.add(eventText("message", message, op == opBinary))
				message, op = nil, 0
			}
		}
	}
	g.locked(func() {
		g.eof = true
		g.firstIs("nobody")
	})
	g.notify()
}

func (g *playing) breach(what string) { g.locked(func() { g.breaches = append(g.breaches, what) }) }

func (g *playing) add(event string) {
	g.locked(func() { g.events = append(g.events, event) })
	g.closeWhenDone()
	g.notify()
}

func (g *playing) firstIs(who string) {
	if g.first == "" {
		g.first = who
	}
}

func (g *playing) gotClose(payload []byte) {
	answer := false
	g.locked(func() {
		g.got = true
		if len(payload) >= 2 {
			g.code = int(binary.BigEndian.Uint16(payload))
		}
		g.firstIs("server")
		answer, g.sent = !g.sent, true
	})
	if answer {
		g.p.send(frame(fin|opClose, payload))
	}
}

// sendClose sends the client's Close frame, unless one was sent.
func (g *playing) sendClose(payload []byte) {
	again := false
	g.locked(func() {
		again, g.sent = g.sent, true
		g.firstIs("client")
	})
	if !again {
		g.p.send(frame(fin|opClose, payload))
	}
}

func (g *playing) closeWhenDone() {
	done := false
	g.locked(func() { done = slices.Equal(g.events, g.want) })
	if done && g.c.Close.ClosedByMe && !g.c.SuppressClose {
		g.sendClose(binary.BigEndian.AppendUint16(nil, uint16(g.c.Close.CloseCode[0])))
	}
}

// run plays the steps and returns what was wrong.
func (g *playing) run() (problems []string) {
	go g.receive()
	closeAfter := time.Duration(0)
steps:
	for _, s := range g.c.Steps {
		d := time.Duration(s.S * float64(time.Second))
		switch s.Op {
		case "kill_after": // the server has closed long before
		case "close_after":
			closeAfter = d
		default:
			if !g.step(s, d) {
				break steps
			}
		}
	}
	g.closeWhenDone()
	ended := func() bool { return g.eof }
	if closeAfter > 0 && !g.wait(closeAfter, ended) {
		g.sendClose([]byte{3, 232})
	}
	g.wait(g.patience, ended)
	return g.judge()
}

// step plays one step and reports whether to go on.
func (g *playing) step(s step, d time.Duration) bool {
	switch s.Op {
	case "frame":
		for range max(g.c.Repeat, 1) {
			g.frame(s)
		}
	case "message":
		g.message(s)
	case "frame_head":
		g.p.write(slices.Concat(frameHead(fin|s.Opcode, s.Len), make([]byte, 4)))
	case "frame_data":
		g.p.write(s.Payload.bytes())
	case "close":
		g.sendClose(closePayload(s.Code, []byte(orEmpty(s.Reason))))
	case "closeframe":
		g.locked(func() {
			g.sent = true
			g.firstIs("client")
		})
		g.p.send(frame(fin|opClose, closePayload(s.Code, unhex(orEmpty(s.ReasonHex)))))
	case "wait":
		if s.Tag != "" && !slices.Contains(g.want, "timeout "+s.Tag) {
			d = g.patience // something has to happen, however busy the machine is
		}
		over := g.wait(d, func() bool { return g.eof || s.Tag != "" && g.got })
		if over {
			return false
		}
		if s.Tag != "" {
			g.add("timeout " + s.Tag)
		}
	default:
		panic("a step called " + s.Op)
	}
	return true
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func closePayload(code *uint16, reason []byte) []byte {
	if code == nil {
		return reason
	}
	return append(binary.BigEndian.AppendUint16(nil, *code), reason...)
}

// frameHead is what comes before the mask.
func frameHead(first byte, n int) []byte {
	b := frame(first, make([]byte, n))
	return b[:len(b)-n-4]
}

// frame sends one frame; in a series each waits for its echo.
func (g *playing) frame(s step) {
	before := 0
	g.locked(func() { before = len(g.events) })
	first := s.Opcode | s.RSV<<4
	if s.Fin {
		first |= fin
	}
	b := frame(first, s.Payload.bytes())
	if s.Chop == 0 {
		g.p.write(b)
	} else {
		for piece := range slices.Chunk(b, s.Chop) {
			g.p.write(piece)
		}
	}
	if g.c.Repeat > 0 {
		g.wait(g.patience, func() bool { return len(g.events) > before || g.eof })
	}
}

func (g *playing) message(s step) {
	first, p := byte(opText), s.Payload.bytes()
	if s.Binary {
		first = opBinary
	}
	size := s.Fragment
	if size == 0 {
		size = max(len(p), 1)
	}
	var all []byte
	for ; len(p) > size; p = p[size:] {
		all = appendFrame(all, first, p[:size])
		first = opContinuation
	}
	g.p.write(appendFrame(all, first|fin, p))
}

func (g *playing) judge() (problems []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if !slices.Equal(g.events, g.want) {
		wrong("events %.200q, want %.200q", g.events, g.want)
	}
	if byMe := g.first == "client"; byMe != g.c.Close.ClosedByMe {
		wrong("closed by %s", g.first)
	}
	if g.c.Close.RequireClean && !(g.sent && g.got) {
		wrong("not closed cleanly: Close sent %v, received %v", g.sent, g.got)
	}
	if g.code != 0 && !slices.Contains(g.c.Close.CloseCode, g.code) {
		wrong("close code %d, want %v", g.code, g.c.Close.CloseCode)
	}
	if !g.eof {
		wrong("the server has not closed the connection")
	}
	return append(problems, g.breaches...)
}

func loadLines[T any](t *testing.T, file string, atLeast int) (cases []*T) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		c := new(T)
		if err := json.Unmarshal(lines.Bytes(), c); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	if len(cases) < atLeast {
		t.Fatalf("%s: only %d cases", file, len(cases))
	}
	return cases
}

// playAll plays every case, several at once, for they mostly wait.
func playAll(t *testing.T, addr string) {
	gate := make(chan struct{}, 16)
	var players sync.WaitGroup
	for _, c := range loadLines[wsCase](t, "testdata/websocket.jsonl", 140) {
		gate <- struct{}{}
		players.Go(func() {
			defer func() { <-gate }()
			for _, problem := range play(t, addr, c, patience) {
				t.Errorf("%s: %s", c.ID, problem)
			}
		})
	}
	players.Wait()
}

// play plays one case. What has to happen may take as long as patience.
func play(t *testing.T, addr string, c *wsCase, patience time.Duration) []string {
	p, err := dialQuietly(t, addr)
	if err != nil {
		return []string{err.Error()}
	}
	defer reset.Close(p.conn)
	g := &playing{c: c, p: p, want: c.want(), patience: patience, changed: make(chan struct{}, 1)}
	problems := g.run()
	if c.Informational {
		return nil
	}
	return problems
}

// dialQuietly is dial for a goroutine that must not end the test.
func dialQuietly(t *testing.T, addr string) (*peer, error) {
	p, err := connect(t, addr)
	if err != nil {
		return nil, err
	}
	p.write([]byte(request()))
	if err := p.readHead(); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(p.head, "HTTP/1.1 101 ") {
		return nil, fmt.Errorf("the handshake was answered with %q", p.head)
	}
	return p, nil
}
