package jay_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/supervise"
)

// TestStopAnswersWhatCame connects many clients, stops the server in the
// middle of their requests and expects an answer to each that was read.
func TestStopAnswersWhatCame(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		refs := make(chan jay.Ref, 1)
		stopped, accepted := make(chan bool, 1), make(chan bool, 2)
		s := &jay.Server{
			OnConnect: func(*jay.Conn) { accepted <- true },
			Protocol:  onLine(func(c *jay.Conn, line string) { c.Hold(); refs <- c.Ref() }),
			Loops:     1, OnWorkerStop: func(w *jay.Worker) { stopped <- w.Len() == 0 },
		}
		addr, stop := serveStop(t, s, backend)
		busy, idle := dial(t, addr), dial(t, addr)
		send(t, busy, "question\n")
		ref := receive(t, refs, "the message")
		for range 2 {
			receive(t, accepted, "a connection")
		}
		ended := make(chan bool)
		go func() { stop(); close(ended) }()
		expectEOF(t, idle)
		idle.Close()
		if _, err := net.DialTimeout("tcp", addr, patience); err == nil {
			t.Error("a connection was accepted after the stop")
		}
		if err := ref.Do(func(c *jay.Conn) { c.WriteString("answer"); c.Release() }); err != nil {
			t.Fatal(err)
		}
		expect(t, busy, "answer")
		expectEOF(t, busy)
		busy.Close()
		receive(t, ended, "the end of Serve")
		if !receive(t, stopped, "OnWorkerStop") {
			t.Error("OnWorkerStop was called before the last connection had closed")
		}
	})
}

func TestStopDeadlineAborts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed, refs, ended := make(chan error, 1), make(chan jay.Ref, 1), make(chan error)
		s := &jay.Server{
			Protocol: onLine(func(c *jay.Conn, line string) { c.Hold(); refs <- c.Ref() }),
			OnClose:  func(_ *jay.Conn, err error) { closed <- err },
		}
		ctx, cancel := context.WithCancel(context.Background())
		p := newPipes()
		go func() { ended <- jay.ServeOn(ctx, s, p) }()
		c := p.dial()
		send(t, c, "x\n")
		<-refs
		from := time.Now()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Serve returned %v", err)
		}
		wantBetween(t, "Serve returned", time.Since(from), 10*time.Second)
		if err := <-closed; !errors.Is(err, jay.ErrStopped) {
			t.Errorf("OnClose got %v, want ErrStopped", err)
		}
		c.Close()
	})
}

// TestReloadDrainKeepsIdle drains as for a reload: an idle connection stays
// until shortly before the deadline and is closed in order.
func TestReloadDrainKeepsIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(context.Background())
		p, ended := newPipes(), make(chan error)
		go func() { ended <- jay.ServeOn(ctx, &jay.Server{Protocol: every(echo{})}, p) }()
		c := p.dial()
		send(t, c, "a")
		expect(t, c, "a")
		cancel(jay.DrainWithin(supervise.DrainReload, 30*time.Second))
		send(t, c, "b")
		expect(t, c, "b")
		if d := endOf(t, c); d < 28*time.Second || d > 30*time.Second {
			t.Errorf("an idle connection was closed %v after the reload, with 30 s to go", d)
		}
		if err := <-ended; err != nil {
			t.Errorf("Serve returned %v", err)
		}
	})
}

// TestReplaceDrainClosesIdle: the next worker of an exclusive server waits for
// this one, so an idle connection is no reason to stay.
func TestReplaceDrainClosesIdle(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	s := &jay.Server{Protocol: every(echo{}), Addr: "tcp://127.0.0.1:0"}
	ready, ended := make(chan net.Addr, 1), make(chan error, 1)
	s.OnReady = func(a []net.Addr) { ready <- a[0] }
	go func() { ended <- s.Serve(ctx) }()
	c := dial(t, receive(t, ready, "Serve").String())
	send(t, c, "a")
	expect(t, c, "a")
	cancel(jay.DrainWithin(supervise.DrainReplace, time.Hour))
	expectEOF(t, c)
	c.Close()
	if err := receive(t, ended, "the end of Serve"); err != nil {
		t.Error(err)
	}
}

// TestReplaceDrainServesNewcomers: a client that has just connected to a worker
// which the next one waits for gets its answer.
func TestReplaceDrainServesNewcomers(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	connected := make(chan struct{}, 1)
	s := &jay.Server{Protocol: every(echo{}), Addr: "tcp://127.0.0.1:0", OnConnect: func(*jay.Conn) { connected <- struct{}{} }}
	ready, ended := make(chan net.Addr, 1), make(chan error, 1)
	s.OnReady = func(a []net.Addr) { ready <- a[0] }
	go func() { ended <- s.Serve(ctx) }()
	c := dial(t, receive(t, ready, "Serve").String())
	receive(t, connected, "the connection")
	cancel(jay.DrainWithin(supervise.DrainReplace, time.Hour))
	send(t, c, "a")
	expect(t, c, "a")
	expectEOF(t, c)
	c.Close()
	if err := receive(t, ended, "the end of Serve"); err != nil {
		t.Error(err)
	}
}

func TestStartErrors(t *testing.T) {
	boom := errors.New("no database")
	for name, s := range map[string]*jay.Server{
		"OnWorkerStart": {Protocol: every(echo{}), OnWorkerStart: func(*jay.Worker) error { return boom }},
		"panic":         {Protocol: every(echo{}), OnWorkerStart: func(*jay.Worker) error { panic(boom) }},
		"no protocol":   {},
		"bad loop":      {Protocol: every(echo{}), Loop: "epol"},
		"bad address":   {Protocol: every(echo{}), Addr: "tcp://nowhere"},
	} {
		if s.Addr == "" {
			s.Addr = "tcp://127.0.0.1:0"
		}
		if err := s.Serve(t.Context()); err == nil {
			t.Errorf("%s: Serve returned nil", name)
		} else if (name == "OnWorkerStart" || name == "panic") && !errors.Is(err, boom) {
			t.Errorf("%s: Serve returned %v, want the cause", name, err)
		}
	}
}

// TestSilentPeerDoesNotHoldUpTheStop leaves a connection open that the client
// never closes.
func TestSilentPeerDoesNotHoldUpTheStop(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		addr, stop := serveStop(t, &jay.Server{Protocol: every(echo{}), StopTimeout: time.Hour, Conn: jay.ConnConfig{CloseTimeout: -1}}, backend)
		c := dial(t, addr)
		send(t, c, "x")
		expect(t, c, "x")
		stop()
		expectEOF(t, c)
	})
}

// TestStopOvertakesReload stops a worker that still drains for a reload: its
// idle connections need not wait any more.
func TestStopOvertakesReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(context.Background())
		p, ended, drains := newPipes(), make(chan error), make(chan *supervise.Drain)
		go func() { ended <- jay.ServeOvertaken(ctx, &jay.Server{Protocol: every(echo{})}, p, drains) }()
		c := p.dial()
		send(t, c, "a")
		expect(t, c, "a")
		cancel(jay.DrainWithin(supervise.DrainReload, time.Hour))
		time.Sleep(time.Minute)
		send(t, c, "b")
		expect(t, c, "b")
		drains <- jay.DrainWithin(supervise.DrainStop, time.Hour)
		wantBetween(t, "closed", endOf(t, c), 0)
		if err := <-ended; err != nil {
			t.Errorf("Serve returned %v", err)
		}
	})
}
