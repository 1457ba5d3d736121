//go:build linux

package supervise_test

import (
	"strings"
	"testing"
)

// TestProgramsStayInOrder: status shows programs, and their workers, as the program
// declares them, whatever was changed, though one of them keeps its workers.
func TestProgramsStayInOrder(t *testing.T) {
	t.Parallel()
	s := newService(t, "three").start()
	for _, command := range []string{"status", "reload", "scale a=2", "upgrade", "scale b=2", "reload", "restart", "upgrade"} {
		s.must(strings.Fields(command)...)
		st := s.status()
		programs, workers := "", ""
		for _, p := range st.Programs {
			programs += p.Name
		}
		for _, w := range st.Workers {
			if !strings.HasSuffix(workers, w.Program) {
				workers += w.Program
			}
		}
		if programs != "cba" || workers != "cba" {
			t.Errorf("after %s: programs %s, workers %s; want cba", command, programs, workers)
		}
	}
}
