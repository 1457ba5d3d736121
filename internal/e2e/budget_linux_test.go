package e2e

import (
	"bytes"
	bits "encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/framing"
	"github.com/jay-go/jay/internal/needs"
	"github.com/jay-go/jay/web"
	"github.com/jay-go/jay/websocket"
)

const (
	heldBudget  = 32 << 20
	heldMost    = 80 << 20 // what the worker may take with all that is not in the budget
	heldClients = 120
	heldEach    = 9 << 20
	heldWhole   = 10 << 20
)

// holding has servers of every protocol that collects something, for requests
// and messages of up to 10 MiB, and the budget for a few of them.
func holding() {
	server := func(name string, h jay.Protocol) *jay.Server {
		return &jay.Server{
			Name: name, Addr: "tcp://127.0.0.1:0", Workers: 1, MaxBuffered: heldBudget, Conn: jay.ConnConfig{MaxOutput: -1}, Backlog: 2 * heldClients,
			Protocol: h, OnError: func(*jay.Conn, error) {}, // those that the budget refuses
		}
	}
	block := bytes.Repeat([]byte("0123456789abcdef"), 1<<12)
	var all websocket.Group
	asked := 0 // for the group to be sent to; belongs to the loop
	all.OnSlow = func(*websocket.Conn) websocket.SlowPolicy { return websocket.SendAnyway }
	ws := &websocket.Handler{
		MaxMessage: heldWhole, Deflate: &websocket.Deflate{ServerTakeover: true, ClientTakeover: true},
		OnOpen: func(c *websocket.Conn) { all.Add(c) },
		OnMessage: func(c *websocket.Conn, m websocket.Message) {
			switch m.Text() {
			case "post": // more than the loop, which is busy, can take
				done := make(chan bool)
				go func() {
					for ref := c.Ref(); ref.Send(websocket.Binary(block)) == nil; {
					}
					close(done)
				}()
				<-done
			case "small": // which take more memory than their bytes
				done := make(chan bool)
				go func() {
					for ref := c.Ref(); ref.Send(websocket.Binary(block[:10])) == nil; {
					}
					close(done)
				}()
				<-done
			case "group":
				if asked++; asked%10 != 1 { // to all of them, so some will do
					return
				}
				for range heldEach >> 16 {
					_, _ = all.Send(websocket.Binary(block))
				}
			}
		},
	}
	jay.Main(
		server("web", &web.Protocol{MaxHeader: heldWhole, MaxFields: -1, Handler: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
			switch r.Path() {
			case "/ws":
				ws.Serve(w, r)
			case "/fields":
				_ = w.Later()
				for i := range heldEach >> 16 {
					if w.SetHeader("X-"+strconv.Itoa(i), string(block[:1<<15])+string(block[:1<<15])) != nil {
						break
					}
				}
			case "/later":
				_ = w.Later()
				fallthrough
			case "/now":
				for range heldEach >> 16 {
					if _, err := w.Write(block); err != nil {
						break
					}
				}
			default:
				_, _ = w.WriteString("ok")
			}
		})}),
		server("frames", framing.LengthPrefixed{}.Protocol(func(c *jay.Conn, m []byte) { _ = framing.LengthPrefixed{}.Send(c, m) })),
	)
}

// holder is a way to make a worker collect.
type holder struct {
	name   string
	server int    // index in the programs
	begin  string // what is sent first
	opens  bool   // it is answered with 101
	piece  func(i int) []byte
	pieces int
}

func holders() []holder {
	block := bytes.Repeat([]byte("0123456789abcdef"), 64<<10/16)
	blocks := func(int) []byte { return block }
	chunk := fmt.Appendf(nil, "%x\r\n%s\r\n", len(block), block)
	open := "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
	fields := bytes.Repeat([]byte("a:\r\n"), 64<<10/4)
	whole := string(wsHead(0x82, heldWhole))
	var stored []byte // a deflate block that is not compressed
	stored = append(stored, 0, 0xff, 0xff, 0, 0)
	stored = append(stored, block[:0xffff]...)
	return []holder{
		{"body", 0, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + strconv.Itoa(heldWhole) + "\r\n\r\n", false, blocks, 144},
		{"chunks", 0, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", false, func(int) []byte { return chunk }, 144},
		{"head", 0, "GET / HTTP/1.1\r\nHost: a\r\nX-Long: ", false, blocks, 144},
		{"trailer section", 0, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Long: ", false, blocks, 144},
		{"fields", 0, "GET / HTTP/1.1\r\nHost: a\r\n", false, func(int) []byte { return fields }, 144},
		{"trailer fields", 0, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", false, func(int) []byte { return fields }, 144},
		{"fields of a response", 0, "GET /fields HTTP/1.1\r\nHost: a\r\n\r\n", false, nil, 0},
		{"response", 0, "GET /now HTTP/1.1\r\nHost: a\r\n\r\n", false, nil, 0},
		{"response that is not finished", 0, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n", false, nil, 0},
		{"message", 0, open + whole, true, blocks, 144},
		{"compressed message", 0, open + string(wsHead(0xc2, heldWhole)), true, func(int) []byte { return stored }, 144},
		{"fragments", 0, open, true, func(i int) []byte {
			first := byte(0)
			if i == 0 {
				first = 2
			}
			return append(wsHead(first, len(block)), block...)
		}, 144},
		{"posted", 0, open + string(wsHead(0x81, 4)) + "post", true, nil, 0},
		{"small ones posted", 0, open + string(wsHead(0x81, 5)) + "small", true, nil, 0},
		{"group", 0, open + string(wsHead(0x81, 5)) + "group", true, nil, 0},
		{"frame", 1, string(bits.BigEndian.AppendUint32(nil, heldWhole-4)), false, blocks, 144},
	}
}

// wsHead is the head of a client's frame whose mask is zero.
func wsHead(first byte, n int) []byte {
	if n < 126 {
		return []byte{first, 0x80 | byte(n), 0, 0, 0, 0}
	}
	b := bits.BigEndian.AppendUint64([]byte{first, 0x80 | 127}, uint64(n))
	return append(b, 0, 0, 0, 0)
}

// TestBudgetOfAWorker: 120 clients that each make the worker collect 9 MiB and
// then wait, whatever in, make it take little more than its budget, and who
// wants little does not notice.
func TestBudgetOfAWorker(t *testing.T) {
	t.Parallel()
	s := startOwn(t, "holding", "--watchdog", "5m") // the callbacks are as long as they are
	st, _ := s.status()
	for _, h := range holders() {
		t.Run(h.name, func(t *testing.T) {
			addr := strings.TrimPrefix(st.Programs[h.server].Addresses[0], "tcp://")
			peak := watchMemory(t, worker(st, st.Programs[h.server].Name).PID)
			var conns []net.Conn
			var all sync.WaitGroup
			for range heldClients {
				c, err := net.DialTimeout("tcp", addr, patience)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				_ = c.(*net.TCPConn).SetLinger(0)
				_ = c.(*net.TCPConn).SetReadBuffer(4096)
				_ = c.SetDeadline(time.Now().Add(3 * patience))
				conns = append(conns, c)
				all.Go(func() { h.send(c) })
			}
			all.Wait()
			small, err := net.DialTimeout("tcp", addr, patience)
			if err != nil {
				t.Fatal(err)
			}
			defer small.Close()
			_ = small.SetDeadline(time.Now().Add(3 * patience)) // the loop has 120 of the others to go through
			request, want := "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200"
			if h.server == 1 {
				request, want = "\x00\x00\x00\x05small", "\x00\x00\x00\x05small"
			}
			_, _ = io.WriteString(small, request)
			got := make([]byte, len(want))
			if _, err := io.ReadFull(small, got); string(got) != want {
				t.Errorf("who wants little gets %q, %v", got, err)
			}
			allowed := heldMost
			if needs.Race {
				allowed *= 5 // the detector's own memory counts
			}
			if most := peak(); most > allowed {
				t.Errorf("the worker took %d MiB, at most %d are allowed", most>>20, allowed>>20)
			} else {
				t.Logf("%d MiB", most>>20)
			}
			for _, c := range conns {
				c.Close()
			}
			small.Close()
			s.wait("no connection is left", func(st status, _ int) bool {
				return st.Workers[0].Connections+st.Workers[1].Connections == 0
			})
		})
	}
}

// send sends all of it, or what the server takes before it says something.
func (h holder) send(c net.Conn) {
	if _, err := io.WriteString(c, h.begin); err != nil {
		return
	}
	if h.opens {
		for b, end := []byte{0}, 0; end < 4; { // the empty line
			if _, err := c.Read(b); err != nil {
				return
			}
			if end++; b[0] != "\r\n\r\n"[end-1] {
				end = 0
			}
		}
	}
	var refused atomic.Bool
	if h.pieces > 0 {
		go func() {
			_, _ = c.Read(make([]byte, 1))
			refused.Store(true)
		}()
	}
	for i := 0; i < h.pieces && !refused.Load(); i++ {
		if _, err := c.Write(h.piece(i)); err != nil {
			return
		}
	}
}

// worker returns the one worker of a program.
func worker(st status, program string) workerStatus {
	return st.Workers[slices.IndexFunc(st.Workers, func(w workerStatus) bool { return w.Program == program })]
}

// watchMemory follows the anonymous memory of a process until peak is called,
// which returns the most that was seen.
func watchMemory(t *testing.T, pid int) (peak func() int) {
	stop, most := make(chan bool), make(chan int)
	go func() {
		m := 0
		for more := true; more; {
			select {
			case <-stop:
				more = false
			case <-time.After(5 * time.Millisecond):
			}
			m = max(m, anonymous(t, pid))
		}
		most <- m
	}()
	return func() int {
		close(stop)
		return <-most
	}
}

func anonymous(t *testing.T, pid int) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Error(err)
		return 0
	}
	_, rest, _ := strings.Cut(string(b), "RssAnon:") // it has none while it ends
	var kib int
	fmt.Sscan(rest, &kib)
	return kib << 10
}
