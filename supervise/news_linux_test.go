package supervise

import (
	"testing"
	"time"
)

// TestNewsBeforeAnExec: what workers have said before a master is replaced is in
// the state that the new one continues from, whatever it is.
func TestNewsBeforeAnExec(t *testing.T) {
	s, err := newFakeService(programSpec{Name: "a", Count: 3, StartTimeout: noTimeout, StopTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	s.allReady()
	for i, msg := range []message{{Kind: msgLeave, Why: "it has got a signal"}, {Kind: msgHung, Why: "blocked"}} {
		s.Machine.take(newsOf(s.Machine.Workers[i].ID, msg))
	}
	if n := len(s.World.Procs); n != 3 {
		t.Errorf("%d processes, although nothing is to follow yet", n)
	}
	next := s.clone()
	next.Machine.step(evTick{})
	if n := len(next.World.Procs); n != 5 {
		t.Errorf("%d processes of the new master, want another for each of the two that have to go", n)
	}
	for _, kind := range []messageKind{msgReady, msgHung, msgRecovered, msgLeave, msgTaken, msgUntaken, msgUnlistened} {
		if newsOf(1, message{Kind: kind}) == nil {
			t.Errorf("%s is no news", kind)
		}
	}
}
