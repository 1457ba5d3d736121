package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/supervise"
	"github.com/jay-go/jay/web"
)

// extended is an exclusive server that answers with what the flag of an extension
// says, and counts that. The extension has a command as well.
func extended() {
	motto := "none"
	said := &supervise.Counter{Name: "said_total", Help: "How often the motto was said."}
	s := &jay.Server{
		Name: "extended", Addr: "tcp://127.0.0.1:0", Exclusive: true,
		OnWorkerStart: func(w *jay.Worker) error { return w.Metrics(said) },
		Protocol: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
			said.Inc()
			w.WriteString(motto)
		}),
	}
	(&jay.Options{Servers: []*jay.Server{s}, Options: supervise.Options{Extensions: []supervise.Extension{{
		Name:  "motto",
		Flags: func(fs *flag.FlagSet) { fs.StringVar(&motto, "motto", "none", "`WORDS` to say") },
		Commands: []supervise.Command{{Name: "said", Usage: "how often the motto was said", Run: func(ctx context.Context, call supervise.Call) error {
			st, err := call.Client.Status(ctx)
			if err != nil {
				return err
			}
			fmt.Fprintln(call.Stdout, st.Programs[0].Totals.Metrics["said_total"])
			return nil
		}}},
	}}}}).Main()
}

// TestExtendedServer: what extensions and workers add goes through replacements of
// an exclusive server's only worker, and no client is refused meanwhile.
func TestExtendedServer(t *testing.T) {
	s := startOwn(t, "extended", "--motto", "festina lente")
	said := 0
	ask := func() {
		t.Helper()
		began := time.Now()
		answer, err := fetchAt("tcp://"+s.addr, "/")
		switch took := time.Since(began); {
		case answer == "festina lente" && err == nil:
			said++
		case errors.Is(err, io.EOF) && took > 400*time.Millisecond: // this client was held up before it could ask
			t.Logf("no answer after %v", took)
		default:
			t.Errorf("after %v the answer is %q, %v", took, answer, err)
		}
	}
	for _, command := range []string{"", "reload", "upgrade"} {
		done := make(chan struct{})
		go func() {
			defer close(done)
			if command == "" {
				return
			}
			if out, _, code := s.run(command); code != 0 {
				t.Errorf("%s: exit %d: %s", command, code, out)
			}
		}()
		for over := false; !over; {
			ask()
			select {
			case <-done:
				over = true
			default:
			}
		}
		ask()
		if n := len(s.workers()); n != 1 {
			t.Errorf("after %s %d workers live", command, n)
		}
	}
	s.wait(fmt.Sprintf("it was said %d times", said), func(status, int) bool {
		out, _, code := s.run("said")
		return code == 0 && strings.TrimSpace(out) == fmt.Sprint(said)
	})
	var st struct {
		Programs []struct{ Exclusive bool }
		Workers  []struct{ Metrics map[string]int }
	}
	out, _, _ := s.run("status", "--json")
	if err := json.Unmarshal([]byte(out), &st); err != nil || !st.Programs[0].Exclusive || st.Workers[0].Metrics["said_total"] == 0 {
		t.Errorf("status: %+v, %v", st, err)
	}
}
