package supervise

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestListenerDrains: a server that drops at a stop what it has accepted and not
// begun with, as some do, is not told to stop before it has begun.
func TestListenerDrains(t *testing.T) {
	for _, address := range []string{"tcp://127.0.0.1:0", "unix://" + filepath.Join(t.TempDir(), "s")} {
		t.Run(strings.SplitN(address, ":", 2)[0], func(t *testing.T) { listenerDrains(t, address) })
	}
}

func listenerDrains(t *testing.T, address string) {
	accepted, begin := make(chan struct{}), make(chan struct{})
	var worker *Worker
	serve := func(ctx context.Context, w *Worker) error {
		worker = w
		ln, err := w.Listener("")
		if err != nil {
			return err
		}
		context.AfterFunc(ctx, func() { ln.Close() })
		served := make(chan error, 1)
		for {
			c, err := ln.Accept()
			if err != nil {
				return errors.Join(<-served, w.Ready())
			}
			close(accepted) // a second connection would panic
			go func() {
				defer c.Close()
				<-begin
				if ctx.Err() != nil {
					served <- errors.New("the connection came too late")
					return
				}
				line, err := bufio.NewReader(c).ReadString('\n')
				if err == nil {
					_, err = io.WriteString(c, line)
				}
				served <- err
			}()
		}
	}
	addrs := make(chan string, 1)
	r := &inProcess{
		logger:  slog.New(slog.DiscardHandler),
		started: func(_ *Program, s []Socket) { addrs <- s[0].Addr },
		options: &Options{Programs: []Program{{Name: "a", Listen: []string{address}, Run: serve}}},
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- r.run(ctx) }()
	network, bound, _ := strings.Cut(<-addrs, "://")
	c, err := net.Dial(network, bound)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(c, "hello\n")
	<-accepted
	cancel()
	for deadline := time.Now().Add(10 * time.Second); !worker.isSettled(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the drain does not begin")
		}
	}
	late, err := net.Dial(network, bound) // is left to others
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	close(begin)
	if got, err := io.ReadAll(c); string(got) != "hello\n" || err != nil {
		t.Errorf("the client got %q, %v", got, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestListenerIsNotWaitedForEver: a server that leaves a connection alone holds
// the drain up for a moment only.
func TestListenerIsNotWaitedForEver(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &Worker{}
	l := newWorkerListener(ln, Socket{h: &handle{}}, w.forgetListener)
	defer l.Close()
	w.listeners = map[*workerListener]bool{l: true}
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	left, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer left.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		d := &Drain{Reason: DrainMasterGone, Deadline: time.Now().Add(time.Second)}
		w.settle(d, settleFor(d))
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("it still waits")
	}
	if l.Close(); len(w.listeners) != 0 {
		t.Error("the worker still knows a closed listener")
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept of a closed listener: %v", err)
	}
}

func (w *Worker) isSettled() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.settled
}
