package supervise

import (
	"strings"
	"testing"

	"github.com/jay-go/jay/internal/fleet"
)

// TestRehearse: a state that no master could go on from is refused. What is wrong
// with that of the machine, the machine finds.
func TestRehearse(t *testing.T) {
	worker := &fleet.Worker{ID: 7}
	for _, tt := range []struct {
		name string
		s    savedMaster
		want string // "" for nothing
	}{
		{"a restart", savedMaster{Fresh: true}, ""},
		{"a process of nobody", savedMaster{Procs: []savedProc{{Worker: 8}}}, "worker 8 is not in it"},
		{"a worker without a process", savedMaster{State: fleet.State{Workers: []*fleet.Worker{worker}}}, "worker 7 has no process"},
		{"no change", savedMaster{State: fleet.State{Workers: []*fleet.Worker{worker}}, Procs: []savedProc{{Worker: 7}}}, "no upgrade"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := rehearse(&config{}, tt.s)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}
