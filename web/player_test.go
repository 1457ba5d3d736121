package web_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/http1test"
	"github.com/jay-go/jay/internal/reset"
)

// A player plays conformance cases against a server that echoes bodies.
type player struct {
	addr string
	cut  func(raw []byte) [][]byte // how to segment what is sent; nil: as the case says
}

// response is one parsed answer.
type response struct {
	status   int
	fields   map[string][]string
	body     string
	complete bool
}

// parseResponses reads all answers in buf as a strict client would: methods
// are those of the requests, the last one repeating.
func parseResponses(buf []byte, methods []string, eof bool) (out []response) {
	final := 0
	for {
		head, rest, ok := bytes.Cut(buf, []byte("\r\n\r\n"))
		if !ok {
			return out
		}
		lines := strings.Split(string(head), "\r\n")
		if len(lines[0]) < 13 || !strings.HasPrefix(lines[0], "HTTP/1.1 ") {
			return append(out, response{status: -1, body: lines[0]})
		}
		status, err := strconv.Atoi(lines[0][9:12])
		if err != nil {
			return append(out, response{status: -1, body: lines[0]})
		}
		r := response{status: status, fields: map[string][]string{}, complete: true}
		for _, l := range lines[1:] {
			name, value, _ := strings.Cut(l, ":")
			name = strings.ToLower(name)
			r.fields[name] = append(r.fields[name], strings.TrimSpace(value))
		}
		buf = rest
		method := "GET"
		if len(methods) > 0 {
			method = methods[min(final, len(methods)-1)]
		}
		if status >= 200 {
			final++
		}
		if status >= 200 && method != "HEAD" && status != 204 && status != 304 {
			buf = r.readBody(buf, eof)
		}
		if out = append(out, r); !r.complete {
			return out
		}
	}
}

// readBody takes the body from buf and returns the rest.
func (r *response) readBody(buf []byte, eof bool) []byte {
	if te := r.fields["transfer-encoding"]; len(te) > 0 {
		r.complete = false
		for {
			line, rest, ok := bytes.Cut(buf, []byte("\r\n"))
			n, err := strconv.ParseUint(string(line), 16, 31)
			if !ok || err != nil || len(rest) < int(n)+2 {
				return buf
			}
			r.body += string(rest[:n])
			buf = rest[n+2:]
			if n == 0 {
				r.complete = true
				return buf
			}
		}
	}
	if cl := r.fields["content-length"]; len(cl) > 0 {
		n, err := strconv.Atoi(cl[0])
		if err != nil || len(buf) < n {
			r.body, r.complete = string(buf), false
			return nil
		}
		r.body = string(buf[:n])
		return buf[n:]
	}
	r.body, r.complete = string(buf), eof
	return nil
}

// playing is one case on one connection.
type playing struct {
	c       *http1test.Case
	conn    net.Conn
	methods []string
	buf     []byte
	eof     bool
	reset   bool
}

func finals(rs []response) (out []response) {
	for _, r := range rs {
		if r.status >= 200 || r.status == 101 || r.status < 0 {
			out = append(out, r)
		}
	}
	return out
}

// play returns what was wrong.
func (p *player) play(c *http1test.Case) (problems []string) {
	conn, err := reset.Dial("tcp", p.addr, patience)
	if err != nil {
		return []string{err.Error()}
	}
	defer conn.Close()
	g := &playing{c: c, conn: conn, methods: c.Methods}
	if len(g.methods) == 0 && len(c.Responses) < 2 {
		method, _, _ := strings.Cut(c.Raw, " ")
		g.methods = []string{strings.TrimSpace(method)}
	}
	g.send(p.cut)
	g.receive()
	return g.judge()
}

func (g *playing) send(cut func([]byte) [][]byte) {
	raw := g.c.Bytes()
	pieces, pause := [][]byte{raw}, time.Duration(0)
	switch {
	case g.c.DripMS > 0:
		i := bytes.Index(raw, []byte("X: ")) + 3
		pieces, pause = append([][]byte{raw[:i]}, slices.Collect(slices.Chunk(raw[i:], 1))...), time.Duration(g.c.DripMS)*time.Millisecond
	case cut != nil:
		pieces = cut(raw)
	case g.c.Split == "crlf":
		pieces, pause = bytes.SplitAfter(raw, []byte("\r")), 20*time.Millisecond
	case g.c.Split != nil:
		pieces = slices.Collect(slices.Chunk(raw, int(g.c.Split.(float64))))
	}
	for _, piece := range pieces {
		if _, err := g.conn.Write(piece); err != nil || g.eof {
			break // the server has closed; what it said is still to be read
		}
		if pause > 0 {
			g.read(pause)
		}
	}
	if g.c.HalfClose {
		_ = g.conn.(*net.TCPConn).CloseWrite()
	}
}

// read takes what comes within d.
func (g *playing) read(d time.Duration) {
	var b [64 << 10]byte
	_ = g.conn.SetReadDeadline(time.Now().Add(d))
	n, err := g.conn.Read(b[:])
	g.buf = append(g.buf, b[:n]...)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		g.eof, g.reset = true, err != io.EOF
	}
}

// receive reads until the case is decided, or for as long as it may take.
func (g *playing) receive() {
	limit := patience
	if slices.Equal(g.c.Expect, []string{"wait"}) {
		limit = 500 * time.Millisecond
	}
	end := time.Now().Add(limit)
	settling, then := false, g.c.Then
	for time.Now().Before(end) && !g.eof {
		g.read(50 * time.Millisecond)
		rs := parseResponses(g.buf, g.methods, g.eof)
		if then != "" && len(rs) > 0 && rs[0].status == 100 {
			_, _ = g.conn.Write([]byte(then))
			then = ""
			continue
		}
		done := finals(rs)
		if len(done) < max(len(g.c.Responses), 1) || !done[len(done)-1].complete || settling {
			continue
		}
		settling = true
		end = time.Now().Add(250 * time.Millisecond) // for an answer too many
		if slices.Contains(g.c.Expect, "close") && g.mustClose(done[0].status) {
			end = time.Now().Add(patience)
		}
	}
}

// mustClose reports whether "close" of the case is about an answer with this
// status.
func (g *playing) mustClose(status int) bool {
	errorsExpected := slices.ContainsFunc(g.c.Expect, func(x string) bool { return x >= "400" && x < "600" })
	return status >= 400 || !errorsExpected || g.c.OKClose
}

func (g *playing) judge() (problems []string) {
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	expects := func(x string) bool { return slices.Contains(g.c.Expect, x) }
	rs := parseResponses(g.buf, g.methods, g.eof)
	done := finals(rs)
	switch {
	case len(g.buf) == 0 && g.eof && !expects("none") && !expects("close"):
		wrong("closed without an answer")
	case len(g.buf) == 0 && !g.eof && !expects("wait"):
		wrong("no answer, still open")
	case len(g.buf) > 0:
		g.judgeAnswers(rs, done, wrong)
	}
	if expects("keep") && !g.alive() {
		wrong("the connection was not kept")
	}
	return problems
}

func (g *playing) judgeAnswers(rs, done []response, wrong func(string, ...any)) {
	if len(rs) == 0 {
		wrong("unparsable answer %.60q", g.buf)
		return
	}
	status := func(i int) string { return strconv.Itoa(done[i].status) }
	if len(done) == 0 {
		wrong("no final answer: %.60q", g.buf)
		return
	}
	if slices.Equal(g.c.Expect, []string{"100"}) {
		if rs[0].status != 100 || status(0) != "200" {
			wrong("100 and then 200 expected, got %d and %s", rs[0].status, status(0))
		}
	} else if !slices.Contains(g.c.Expect, status(0)) {
		wrong("status %s not in %v: %.200q", status(0), g.c.Expect, done[0].body)
	}
	for i, allowed := range g.c.Responses {
		if i > 0 && i <= len(done) && done[i-1].status >= 400 {
			break // nothing follows an error
		}
		if i >= len(done) {
			wrong("answer %d is missing", i+1)
		} else if !slices.Contains(allowed, status(i)) {
			wrong("answer %d: %s not in %v", i+1, status(i), allowed)
		}
	}
	if len(done) > g.c.MaxResponses {
		wrong("SMUGGLED: %d answers", len(done))
	}
	if slices.Contains(g.c.Expect, "close") && g.mustClose(done[0].status) && !g.eof {
		wrong("not closed after %s", status(0))
	}
	if g.reset {
		wrong("the connection was reset")
	}
	if g.c.No100 && rs[0].status == 100 {
		wrong("100 was sent")
	}
	if h := g.c.NoResponseHeader; h != "" && done[0].fields[h] != nil {
		wrong("field %s was injected", h)
	}
	if g.c.Body != nil && done[0].status == 200 && latin1(done[0].body) != *g.c.Body {
		wrong("body %.60q, want %.60q", done[0].body, *g.c.Body)
	}
}

// alive makes one more request on the connection.
func (g *playing) alive() bool {
	if g.eof {
		return false
	}
	before := len(g.buf)
	_, _ = io.WriteString(g.conn, "GET /alive HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
	for end := time.Now().Add(patience); time.Now().Before(end) && !g.eof; {
		g.read(100 * time.Millisecond)
	}
	return bytes.HasPrefix(g.buf[before:], []byte("HTTP/1.1 2"))
}

// latin1 is the text that the cases write for bytes.
func latin1(s string) string {
	out := make([]rune, len(s))
	for i := range len(s) {
		out[i] = rune(s[i])
	}
	return string(out)
}

func byteByByte(raw []byte) [][]byte {
	return slices.Collect(slices.Chunk(raw, max(1, len(raw)/4000)))
}

// segments cuts at random places that are the same in every run.
func segments(seed uint64) func([]byte) [][]byte {
	return func(raw []byte) (out [][]byte) {
		r := rand.New(rand.NewPCG(seed, uint64(len(raw))))
		for len(raw) > 0 {
			n := min(1+r.IntN(40), len(raw))
			if len(raw) > 10000 {
				n = min(n*500, len(raw))
			}
			out = append(out, raw[:n])
			raw = raw[n:]
		}
		return out
	}
}

// playAll plays every case but those about WebSocket, each in all ways of
// cutting its bytes, and our own variants in one way each; many at once, for
// they mostly wait.
func playAll(t *testing.T, addr string) {
	ways := []func([]byte) [][]byte{nil, byteByByte, segments(1), segments(2)}
	names := []string{"as it is", "byte by byte", "segments 1", "segments 2"}
	gate := make(chan struct{}, 48)
	var players sync.WaitGroup
	for i, c := range http1test.Cases(t) {
		for way, cut := range ways {
			if c.Group == "ws-handshake" || cut != nil && c.DripMS > 0 || c.Variant && i%len(ways) != way {
				continue
			}
			gate <- struct{}{}
			players.Go(func() {
				defer func() { <-gate }()
				p := &player{addr: addr, cut: cut}
				for _, problem := range p.play(c) {
					t.Errorf("%s, %s: %s (%s; %s)", c.Name, names[way], problem, c.Level, c.Why)
				}
			})
		}
	}
	players.Wait()
}
