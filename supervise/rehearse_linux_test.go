package supervise

import (
	"strings"
	"testing"
)

// TestRehearse: a state that no master could go on from is refused.
func TestRehearse(t *testing.T) {
	whole := func() savedMaster {
		return savedMaster{
			State: state{
				Change: &change{}, Builds: []*build{{ID: 1}}, Sockets: []*socket{{ID: 5}}, Workers: []*worker{{ID: 7, Build: 1, Sockets: []int{5}}},
				Programs: []*program{{Build: 1, Spec: programSpec{Name: "web"}, Slots: []*slot{{Worker: 7, Sockets: []int{5}}}}},
			},
			Procs: []savedProc{{Worker: 7}},
		}
	}
	for _, tt := range []struct {
		name string
		harm func(s *savedMaster)
		want string // "" for nothing
	}{
		{"whole", func(*savedMaster) {}, ""},
		{"no change", func(s *savedMaster) { s.State.Change = nil }, "no upgrade"},
		{"a process of nobody", func(s *savedMaster) { s.Procs[0].Worker = 8 }, "worker 8 is not in it"},
		{"a worker without a process", func(s *savedMaster) { s.Procs = nil }, "worker 7 has no process"},
		{"a worker without its socket", func(s *savedMaster) { s.State.Workers[0].Sockets = []int{6} }, "worker 7: socket 6"},
		{"a worker without its build", func(s *savedMaster) { s.State.Workers[0].Build = 2 }, "worker 7: build 2"},
		{"a slot without its socket", func(s *savedMaster) { s.State.Programs[0].Slots[0].Sockets = []int{9} }, "slot web/0: socket 9"},
		{"a slot with a worker that is not there", func(s *savedMaster) { s.State.Programs[0].Slots[0].Heir = 3 }, "slot web/0: worker 3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := whole()
			tt.harm(&s)
			err := rehearse(&config{}, s)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}
