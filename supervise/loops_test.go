//go:build linux

package supervise_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/supervise"
)

// loopsProgram has two loops, of which "world" gives no sign of life any more
// once the file $GATE is there, in the worker that is the first to make $OUT.
func loopsProgram() supervise.Program {
	return supervise.Program{Name: "game", Count: 1, Run: func(ctx context.Context, w *supervise.Worker) error {
		for _, name := range []string{"lobby", "world"} {
			r, err := w.Report(supervise.Loop{Name: name, Stats: func() control.Stats {
				return control.Stats{Requests: new(int64(len(name)))}
			}})
			if err != nil {
				return err
			}
			defer r.End()
			go func() {
				for ; ; time.Sleep(20 * time.Millisecond) {
					if _, err := os.Stat(os.Getenv("GATE")); err == nil && name == "world" && os.Mkdir(os.Getenv("OUT"), 0o700) == nil {
						return
					}
					r.Beat()
				}
			}()
		}
		if err := w.Ready(); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	}}
}

// TestLoopsOfOneWorker: each loop has figures of its own, and one that stands
// still is named while the others turn.
func TestLoopsOfOneWorker(t *testing.T) {
	t.Parallel()
	gate := t.TempDir() + "/gate"
	s := newService(t, "loops", "GATE="+gate, "OUT="+t.TempDir()+"/out", "COLUMNS=400").start("--watchdog", "2s")
	eventually(t, "status has both loops", func() bool {
		w := s.status().Workers[0]
		return len(w.Loops) == 2 && w.Loops[1].Name == "world" && *w.Loops[1].Requests == 5 && *w.Requests == 10
	})
	if out := s.must("status"); !strings.Contains(out, "loop lobby") || !strings.Contains(out, "loop world") {
		t.Errorf("the table has no rows of the loops:\n%s", out)
	}
	before := s.pids()[0]
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the worker is replaced", func() bool {
		pids := s.pids()
		return len(pids) == 1 && pids[0] != before
	})
	eventually(t, "the log names the loop that stands still", func() bool {
		return strings.Contains(s.log(), "hung: its loop world gives no sign of life")
	})
}
