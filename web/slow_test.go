package web_test

import (
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/internal/late"
	"github.com/jay-go/jay/web"
)

// slowClients is what a server has to bear: clients of three kinds that send
// or read as slowly as they can.
type slowClients struct {
	heads, bodies, readers []net.Conn
	stop                   chan bool
	dripping               sync.WaitGroup
}

// connect opens n clients, a tenth of them readers, and has them drip.
func (s *slowClients) connect(t *testing.T, addr string, n int) {
	open := func(list *[]net.Conn, first string) {
		c := dial(t, addr)
		if list == &s.readers {
			_ = c.SetReadBuffer(4 << 10)
		}
		_, _ = io.WriteString(c, first)
		*list = append(*list, c)
	}
	for i := range n {
		switch {
		case i%10 == 0:
			open(&s.readers, "GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
		case i%2 == 0:
			open(&s.heads, "GET / HTTP/1.1\r\nHost: a\r\nX: ")
		default:
			open(&s.bodies, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
		}
	}
	s.stop = make(chan bool)
	s.dripping.Go(func() {
		for {
			select {
			case <-s.stop:
				return
			case <-time.After(200 * time.Millisecond):
			}
			for _, c := range append(s.heads, s.bodies...) {
				_, _ = io.WriteString(c, "a") // an error means that it was closed
			}
		}
	})
}

// goodClients make requests on kept connections until stop is closed. A
// request that fails is counted, and each one's time is kept.
func goodClients(t *testing.T, addr string, n int, stop chan bool) (times func() []time.Duration, failed *atomic.Int64) {
	all := make([][]time.Duration, n)
	failed = new(atomic.Int64)
	var clients sync.WaitGroup
	for i := range n {
		c := dial(t, addr)
		clients.Go(func() {
			b := make([]byte, 4096)
			for {
				select {
				case <-stop:
					return
				case <-time.After(5 * time.Millisecond):
				}
				begin := time.Now()
				_, err := io.WriteString(c, get)
				n, err2 := 0, error(nil)
				for err2 == nil && !strings.HasSuffix(string(b[:n]), "\r\n\r\nok") {
					var k int
					k, err2 = c.Read(b[n:])
					n += k
				}
				if err != nil || err2 != nil {
					failed.Add(1)
					return
				}
				all[i] = append(all[i], time.Since(begin))
			}
		})
	}
	return func() []time.Duration { clients.Wait(); return slices.Sorted(slices.Values(slices.Concat(all...))) }, failed
}

// inUse is what the process holds after a collection.
func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// Two thousand clients that send a byte now and then, or do not read, do not
// keep the good ones from being served; they cost little and are gone at
// their deadlines.
func TestSlowClients(t *testing.T) {
	if testing.Short() {
		t.Skip("opens 2,000 connections for some seconds")
	}
	const slow, highWater = 2000, 64 << 10
	const deadline = 3 * time.Second
	page := make([]byte, 16<<10)
	p := &web.Protocol{HeaderTimeout: deadline, BodyTimeout: deadline, Handler: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
		if r.Path() == "/large" {
			endless(w.Later(), page)
			return
		}
		w.WriteString("ok")
	})}
	var live atomic.Int64
	addr := serveWith(t, &jay.Server{Loop: "auto", Protocol: p, Conn: jay.ConnConfig{HighWater: highWater, WriteTimeout: deadline, CloseTimeout: time.Second}, OnError: quiet,
		OnConnect: func(*jay.Conn) { live.Add(1) }, OnClose: func(*jay.Conn, error) { live.Add(-1) }})
	before := inUse()
	stop := make(chan bool)
	times, failed := goodClients(t, addr, 10, stop)
	attack := new(slowClients)
	begin := time.Now()
	attack.connect(t, addr, slow)
	t.Logf("%d slow clients connected in %v", slow, time.Since(begin))
	time.Sleep(deadline / 3)
	held := inUse() - before

	ended := map[string]int{}
	for _, c := range append(attack.heads, attack.bodies...) {
		got, _ := io.ReadAll(c)
		ended[plain(string(got))[:min(12, len(got))]]++
	}
	close(attack.stop)
	attack.dripping.Wait()
	for end := time.Now().Add(patience); live.Load() > 10 && time.Now().Before(end); {
		time.Sleep(50 * time.Millisecond)
	}
	took := time.Since(begin)
	close(stop)
	sorted := times()

	t.Logf("all slow clients gone after %v, ended: %v; %d bytes held for each", took, ended, held/slow)
	t.Logf("good clients: %d requests, %d failed, p50 %v, p99 %v", len(sorted), failed.Load(), sorted[len(sorted)/2], sorted[len(sorted)*99/100])
	if failed.Load() > 0 {
		t.Errorf("%d good clients failed", failed.Load())
	}
	if ended["HTTP/1.1 408"] != slow/10*9 {
		t.Errorf("clients that sent slowly were not all answered 408: %v", ended)
	}
	if n := live.Load(); n > 10 {
		t.Errorf("%d connections are left; 10 are good", n)
	}
	// A tenth of the clients is owed up to the high-water mark; the others
	// hold an exchange and a piece of a head.
	if most := int64(highWater/5 + 8<<10); held/slow > most && !late.On { // which keeps what it has received
		t.Errorf("%d bytes are held for each slow client, want at most %d", held/slow, most)
	}
}

// endless streams page over and over, as fast as the client takes it.
func endless(l web.Later, page []byte) {
	more := func() {
		for !l.Full() {
			_, _ = l.Writer().Write(page)
			_ = l.Writer().Flush()
		}
	}
	l.OnWritable(more)
	more()
}
