//go:build linux

package supervise_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// onTrial is a service whose restart has executed its file and has not ended yet.
var onTrial = step{"on trial", logged("msg=start ", 2)}

// gatedService is one whose workers start while its gate is open.
func gatedService(t *testing.T) (s *service, openGate, closeGate func()) {
	t.Helper()
	gate := filepath.Join(t.TempDir(), "gate")
	s = newService(t, "gated", "GATE="+gate)
	openGate = func() {
		if err := os.WriteFile(gate, nil, 0o600); err != nil {
			t.Error(err)
		}
	}
	return s, openGate, func() { os.Remove(gate) }
}

// start -d, and how long it may take on a loaded machine.
const startGated = "start -d --start-timeout 60s"

// beginTrial starts the service, and restarts it with a file of a mode whose
// workers wait for the gate.
func (s *service) beginTrial(mode string, openGate, closeGate func()) (restarted func() (string, int)) {
	s.t.Helper()
	s.install("good")
	openGate()
	s.must(strings.Fields(startGated)...)
	closeGate()
	s.t.Cleanup(openGate) // before that of the service
	s.install(mode)
	return s.begin("restart", onTrial)
}

// TestCommandsDuringATrial: what is asked for while the file of a restart is on trial
// waits until that is over, and everybody is answered.
func TestCommandsDuringATrial(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		command string
		mode    string // of the file that the restart executes
		want    string // of the command
		code    int
	}{
		{"upgrade", "next", "upgrade done: generation 2", 0},
		{"reload", "next", "reload done: generation 2", 0},
		{"scale http=1", "next", "http has 1 workers", 0},
		{"restart", "next", "restarted", 0},
		{"upgrade", "fails", "a restart goes back to the file before", 1},
		{"scale http=1", "fails", "a restart goes back to the file before", 1},
	} {
		t.Run(fmt.Sprintf("%s, of a file that is %s", tt.command, tt.mode), func(t *testing.T) {
			t.Parallel()
			s, openGate, closeGate := gatedService(t)
			restarted := s.beginTrial(tt.mode, openGate, closeGate)
			pid := s.status().PID
			result := s.begin(tt.command, step{"accepted", logged("msg=command ", 2)})
			openGate()
			if out, code := result(); code != tt.code || !strings.Contains(out, tt.want) {
				t.Errorf("%s: exit %d: %s; want exit %d and %q", tt.command, code, out, tt.code, tt.want)
			}
			if out, code := restarted(); code != tt.code {
				t.Errorf("restart: exit %d: %s", code, out)
			}
			version := "good"
			if tt.code == 0 {
				version = tt.mode
			}
			if st := s.status(); st.PID != pid || st.Version != version {
				t.Errorf("afterwards: %+v", st)
			}
			mustGet(t, s.addr())
		})
	}
}

// TestSignalsDuringATrial: a signal that asks for a change is obeyed when the trial
// is over, and whoever waits for the restart is answered.
func TestSignalsDuringATrial(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR2} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			s, openGate, closeGate := gatedService(t)
			restarted := s.beginTrial("next", openGate, closeGate)
			syscall.Kill(s.status().PID, sig)
			eventually(t, "the signal has come", func() bool { return logged("msg=signal ", 1)(s) })
			openGate()
			if out, code := restarted(); code != 0 {
				t.Errorf("restart: exit %d: %s", code, out)
			}
			eventually(t, "the signal has had its effect", func() bool {
				st := s.status()
				return st.Generation == 2 && st.State == "running"
			})
		})
	}
}

// TestHeldDuringATrial: SIGWINCH is no fault of the file, and ends the restart.
func TestHeldDuringATrial(t *testing.T) {
	t.Parallel()
	s, openGate, closeGate := gatedService(t)
	restarted := s.beginTrial("next", openGate, closeGate)
	syscall.Kill(s.status().PID, syscall.SIGWINCH)
	if out, code := restarted(); code != 1 || !strings.Contains(out, "SIGWINCH") {
		t.Errorf("restart: exit %d: %s", code, out)
	}
	openGate()
	s.must("reload")
	if st := s.status(); st.Version != "next" || st.State != "running" {
		t.Errorf("after a reload: %+v", st)
	}
}

// TestUpgradeBeforeTheFirstStart: who started the service hears how that went,
// whatever has been asked for meanwhile.
func TestUpgradeBeforeTheFirstStart(t *testing.T) {
	t.Parallel()
	s, openGate, _ := gatedService(t)
	started := s.begin(startGated, step{"starting", func(s *service) bool { return s.status().PID != 0 }})
	upgraded := s.begin("upgrade", step{"accepted", logged("msg=command ", 1)})
	openGate()
	if out, code := started(); code != 0 || !strings.Contains(out, "ready, daemon pid") {
		t.Errorf("start -d: exit %d: %s", code, out)
	}
	if out, code := upgraded(); code != 0 {
		t.Errorf("upgrade: exit %d: %s", code, out)
	}
	if st := s.status(); st.Generation != 2 || st.State != "running" {
		t.Errorf("afterwards: %+v", st)
	}
}
