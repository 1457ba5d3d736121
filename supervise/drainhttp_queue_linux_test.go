package supervise

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestDrainHTTPEmptiesItsQueues: who waits in the queue of a socket that ends when
// the drain begins is served, and the master hears when nobody does any more.
func TestDrainHTTPEmptiesItsQueues(t *testing.T) {
	t.Parallel()
	const clients = 5 // to be accepted within the second that the drain waits for a queue
	blocked, ready, addrs := make(chan struct{}), make(chan *Worker, 1), make(chan string, 1)
	srv := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "served") }),
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context { // the server accepts no more meanwhile
			<-blocked
			time.Sleep(time.Millisecond)
			return ctx
		},
	}
	run := func(ctx context.Context, w *Worker) error {
		ready <- w
		context.AfterFunc(ctx, func() { close(blocked) })
		return DrainHTTP(ctx, w, srv)
	}
	r := &inProcess{
		logger:  slog.New(slog.DiscardHandler),
		started: func(_ *Program, s []Socket) { addrs <- strings.TrimPrefix(s[0].Addr, "tcp://") },
		options: &Options{Programs: []Program{{Name: "a", Listen: []string{"tcp://127.0.0.1:0"}, StopTimeout: time.Minute, Run: run}}},
	}
	ctx, drain := context.WithCancel(t.Context())
	defer drain()
	ended := make(chan error, 1)
	go func() { ended <- r.run(ctx) }()
	addr, w := <-addrs, <-ready
	conns := make([]net.Conn, clients)
	for i := range conns {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		conns[i] = c
	}
	told := make(chan messageKind, 8)
	for listening := false; !listening; time.Sleep(time.Millisecond) {
		w.mu.Lock()
		if listening = w.ready; listening {
			w.master = uplinkFunc(func(m message) error { told <- m.Kind; return nil })
		}
		w.mu.Unlock()
	}
	drain()
	for i, c := range conns {
		c.SetDeadline(time.Now().Add(time.Minute))
		if b, err := io.ReadAll(c); !strings.HasSuffix(string(b), "served") {
			t.Errorf("client %d of %d: %v: %s", i, clients, err, b)
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	select {
	case kind := <-told:
		if kind != msgUnlistened {
			t.Errorf("the master hears %s", kind)
		}
	case <-time.After(time.Minute):
		t.Error("the master hears nothing")
	}
}
