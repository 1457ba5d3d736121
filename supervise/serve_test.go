package supervise

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"
)

// TestServe runs programs without a master, as Main does where there is no
// supervision: they listen, serve, see each other's load, and end together.
func TestServe(t *testing.T) {
	answer := func(text string) func(context.Context, *Worker) error {
		return func(ctx context.Context, w *Worker) error {
			ln, err := w.Listener("")
			if err != nil {
				return err
			}
			context.AfterFunc(ctx, func() { ln.Close() })
			report, err := w.Report(Loop{})
			if err != nil {
				return err
			}
			report.SetLoad(3)
			defer report.End()
			if err := w.Ready(); err != nil {
				return err
			}
			for {
				c, err := ln.Accept()
				if err != nil {
					return nil
				}
				io.WriteString(c, text)
				c.Close()
			}
		}
	}
	var hooks []string
	addrs := make(chan string, 2)
	r := &inProcess{
		logger:  slog.New(slog.DiscardHandler),
		started: func(_ *Program, s []Socket) { addrs <- s[0].Addr },
		options: &Options{Programs: []Program{
			{Name: "a", Listen: []string{"tcp://127.0.0.1:0"}, Run: answer("this is a"),
				OnWorkerStart: func(*Worker) error { hooks = append(hooks, "start"); return nil },
				OnWorkerStop: func(w *Worker) {
					report, err := w.Report(Loop{})
					if err != nil {
						t.Error(err)
						return
					}
					report.SetLoad(0)
					if total, n := report.PeerLoad(); total != 0 && n != 1 {
						t.Errorf("PeerLoad is %d of %d loops", total, n)
					}
					hooks = append(hooks, "stop")
				}},
			{Name: "b", Listen: []string{"tcp://127.0.0.1:0"}, Run: answer("this is b")},
		}},
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.run(ctx) }()
	for _, want := range []string{"this is a", "this is b"} {
		c, err := net.DialTimeout("tcp", strings.TrimPrefix(<-addrs, "tcp://"), 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(c); string(got) != want || err != nil {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
		c.Close()
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("run returned %v", err)
	}
	if strings.Join(hooks, " ") != "start stop" {
		t.Errorf("hooks ran as %v", hooks)
	}
}

// TestServeFailure lets one program fail: the others are told to stop, and
// the cause is named.
func TestServeFailure(t *testing.T) {
	boom := errors.New("boom")
	var cause error
	r := &inProcess{logger: slog.New(slog.DiscardHandler), options: &Options{Programs: []Program{
		{Name: "well", Run: func(ctx context.Context, _ *Worker) error {
			<-ctx.Done()
			cause = context.Cause(ctx)
			return nil
		}},
		{Name: "ill", Run: func(context.Context, *Worker) error { return boom }},
	}}}
	err := r.run(context.Background())
	if !errors.Is(err, boom) || !strings.Contains(err.Error(), "ill") {
		t.Errorf("run returned %v; want boom, of program ill", err)
	}
	if d, ok := errors.AsType[*Drain](cause); !ok || d.Reason != DrainStop {
		t.Errorf("the other was told %v; want a stop", cause)
	}
	r.options.Programs[0].Listen = []string{"tcp://256.1.1.1:1"}
	if err := r.run(context.Background()); err == nil || !strings.Contains(err.Error(), "well") {
		t.Errorf("run with a bad address returned %v", err)
	}
}

// TestServeDrain: whoever ends the context may say what drain it is.
func TestServeDrain(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	want := &Drain{Reason: DrainReload, Deadline: time.Now().Add(time.Hour)}
	o := Options{Programs: []Program{{Run: func(ctx context.Context, _ *Worker) error {
		cancel(want)
		<-ctx.Done()
		return context.Cause(ctx)
	}}}}
	if err := o.Serve(ctx); !errors.Is(err, want) {
		t.Errorf("the program was told %v, want %v", err, want)
	}
}

// TestServeWhatCannotBe: a program that cannot be run as it is described is an error
// that says what would be right.
func TestServeWhatCannotBe(t *testing.T) {
	run := func(context.Context, *Worker) error { return errors.New("it ran") }
	for want, programs := range map[string][]Program{
		"pass at least one":                 nil,
		"program a: it has no Run function": {{Name: "a"}},
		`program a b: the name has ' '`:     {{Name: "a b", Run: run}},
		"program a: count is -1; write a number from 1, or 0 for one worker a CPU": {{Name: "a", Run: run, Count: -1}},
		"program a: count is 2; it is exclusive, so write 1":                       {{Name: "a", Run: run, Count: 2, Exclusive: true}},
		"program a: backlog is -1; write a positive number, or 0 for 1024":         {{Name: "a", Run: run, Backlog: -1}},
		"two programs are called a; give each a Name of its own":                   {{Name: "a", Run: run}, {Name: "a", Run: run}},
		"program b: tcp://127.0.0.1:1 is used by program a already":                {{Name: "a", Run: run, Listen: []string{"127.0.0.1:1"}}, {Name: "b", Run: run, Listen: []string{"tcp://127.0.0.1:1"}}},
	} {
		if err := (&Options{Programs: programs}).Serve(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Serve returned %v, want %q in it", err, want)
		}
	}
}
