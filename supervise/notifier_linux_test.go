package supervise

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// stuckManager takes what it is told only while it is open.
type stuckManager struct {
	open  chan struct{}
	heard []string // of the notifier's goroutine
}

func (m *stuckManager) put(text string) error {
	<-m.open
	status, rest, _ := strings.Cut(text, "\n")
	state, _, _ := strings.Cut(rest, "\n")
	m.heard = append(m.heard, strings.TrimSuffix(status+" "+state, " "))
	return nil
}

// TestNotifierCatchesUp: a manager that did not read for a while is told what it
// has to know, once, and in an order that it understands.
func TestNotifierCatchesUp(t *testing.T) {
	for name, test := range map[string]struct {
		tell []string // "state status", or a sign
		want []string // after the first, which is under way
	}{
		"the last status of a state": {[]string{"READY=1 a", "READY=1 b", "READY=1 c"}, []string{"c READY=1"}},
		"the start comes first":      {[]string{"READY=1 a", "RELOADING=1 b", "READY=1 c"}, []string{"a READY=1", "b RELOADING=1", "c READY=1"}},
		"a reload it never knew":     {[]string{"RELOADING=1 a", "READY=1 b", "RELOADING=1 c", "READY=1 d"}, []string{"c RELOADING=1", "d READY=1"}},
		"one that goes on":           {[]string{"READY=1 0", "RELOADING=1 a", "READY=1 b", "RELOADING=1 c"}, []string{"0 READY=1", "c RELOADING=1"}},
		"the end is last":            {[]string{"RELOADING=1 a", "READY=1 b", "STOPPING=1 c", "STOPPING=1 d"}, []string{"a RELOADING=1", "b READY=1", "d STOPPING=1"}},
		"a stop within a reload":     {[]string{"RELOADING=1 a", "STOPPING=1 b"}, []string{"a RELOADING=1", "b STOPPING=1"}},
		"signs of life, each once":   {[]string{"READY=1 a", "WATCHDOG=1", "EXTEND", "WATCHDOG=1"}, []string{"a READY=1", "WATCHDOG=1", "EXTEND"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &stuckManager{open: make(chan struct{})}
				n := newNotifier(m.put, nil)
				n.sign("FIRST")
				synctest.Wait()
				for _, what := range test.tell {
					if state, status, found := strings.Cut(what, " "); found {
						n.tell(state, status)
					} else {
						n.sign(what)
					}
				}
				for range 1000 { // however long it lasts
					n.sign("WATCHDOG=1")
				}
				if len(n.due) > 4 || len(n.signs) > 3 {
					t.Errorf("%d states and %d signs wait", len(n.due), len(n.signs))
				}
				close(m.open)
				<-n.close()
				got := slices.DeleteFunc(m.heard[1:], func(s string) bool { return s == "WATCHDOG=1" && !slices.Contains(test.want, s) })
				if !slices.Equal(got, test.want) {
					t.Errorf("the manager heard %q, want %q", got, test.want)
				}
			})
		})
	}
}

// TestNotifierGivesUp: at the end of a service nobody waits long for a manager, and
// the log has one line of a manager that is not there.
func TestNotifierGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &stuckManager{open: make(chan struct{})}
		n := newNotifier(m.put, nil)
		n.tell("STOPPING=1", "stuck")
		begin := time.Now()
		await(lastWords, n.close())
		if took := time.Since(begin); took != lastWords {
			t.Errorf("it has waited for %v, want %v", took, lastWords)
		}
		close(m.open)
	})
	synctest.Test(t, func(t *testing.T) {
		var failures int
		n := newNotifier(func(string) error { return errors.New("nobody there") }, func(error) { failures++ })
		for range 10 {
			n.sign("WATCHDOG=1")
			synctest.Wait()
		}
		<-n.close()
		if failures != 1 {
			t.Errorf("the log has %d lines about it, want 1", failures)
		}
	})
}
