package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/load"
)

// TestReloadUnderLoad: eight reloads and two upgrades one behind the other, while 50
// clients keep sending on connections that stay and others come and go: none of
// them notices anything but an announced close.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		args []string
	}{{"one shared socket", nil}, {"a socket a worker", []string{"--reuse-port"}}} {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, "hello", append(tt.args, "--workers", "2")...)
			before, _ := s.status()
			stay := load.Load{Addr: s.addr, Connections: 50, Pause: 20 * time.Millisecond}
			come := load.Load{Addr: s.addr, Connections: 2, PerConn: 1, Pause: 2 * time.Millisecond}
			endStay, endCome := stay.Start(), come.Start()
			changes := strings.Fields("reload reload reload upgrade reload reload upgrade reload reload reload")
			began := time.Now()
			for _, command := range changes {
				if out, code := s.command(command); code != 0 {
					t.Errorf("%s: exit %d\n%s", command, code, out)
				}
			}
			took := time.Since(began)
			stayed, came := endStay(), endCome()
			t.Attr("measured", fmt.Sprintf("%s: %d changes in %.1f s, %d requests, %d failed", tt.name, len(changes), took.Seconds(),
				stayed.Counts[load.Answered]+came.Counts[load.Answered], stayed.Failed()+came.Failed()))
			t.Logf("%d changes in %v\nstaying: %v\ncoming and going: %v", len(changes), took, stayed, came)
			if n := stayed.Failed() + came.Failed(); n > 0 {
				t.Errorf("%d requests failed; staying: %v\ncoming and going: %v", n, stayed, came)
			}
			after, code := s.status()
			if code != 0 || after.PID != before.PID || after.Generation != 1+len(changes) || after.Programs[0].Ready != 2 {
				t.Errorf("afterwards: exit %d, %+v; want the master %d, generation %d and two ready workers", code, after, before.PID, 1+len(changes))
			}
			for _, w := range before.Workers {
				s.wait("the old workers to have gone", func(st status, _ int) bool { return !st.hasWorker(w.PID) })
			}
		})
	}
}
