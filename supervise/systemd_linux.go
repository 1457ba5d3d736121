package supervise

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/jay-go/jay/internal/addr"
	"github.com/jay-go/jay/internal/sys"
)

// activated is a socket that the service manager has opened for the service
// (sd_listen_fds(3)). The master keeps it for its whole life, so that a reload
// or a restart finds it again, and serves duplicates of it.
type activated struct {
	FD    int    `json:"fd"`
	Name  string `json:"name"`  // FileDescriptorName=
	Bound string `json:"bound"` // in the form of package addr, without scheme
}

// takeActivated takes over what the service manager has passed, once.
func takeActivated() ([]activated, error) {
	var list []activated
	for _, f := range activation.Files(true) {
		a := activated{FD: -1, Name: f.Name()}
		err := onFD(f, func(fd int) (err error) {
			if a.FD, err = sys.DupFD(fd); err == nil {
				a.Bound, err = sys.BoundAddr(fd)
			}
			return err
		})
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("socket %s of the service manager: %w", a.Name, err)
		}
		list = append(list, a)
	}
	return list, nil
}

// openActivated gives a duplicate of the socket that the service manager has
// for an address: the one that is bound to it, or the one that is called as the
// program is. It returns -1 where there is none.
func (m *master) openActivated(program string, a addr.Addr, backlog int, reusePort bool) (fd int, bound string, err error) {
	_, address := a.Network()
	i := slices.IndexFunc(m.activated, func(s activated) bool { return s.Bound == address })
	if i < 0 {
		i = slices.IndexFunc(m.activated, func(s activated) bool { return s.Name == program })
	}
	if i < 0 {
		return -1, "", nil
	}
	s := m.activated[i]
	if fd, err = sys.DupFD(s.FD); err != nil {
		return -1, "", err
	}
	if err = sys.Relisten(fd, backlog); err == nil && reusePort {
		err = sys.SetReusePort(fd)
	}
	if err != nil {
		sys.Close(fd)
		return -1, "", fmt.Errorf("socket %s of the service manager: %w", s.Name, err)
	}
	return fd, boundName(a, s.Bound), nil
}

// tellManager tells the service manager what the service is doing, when that
// has changed (sd_notify(3)). Without one it does nothing.
func (m *master) tellManager() {
	if m.report != nil && m.machine.Phase == phaseRunning {
		return // it has not started yet
	}
	state := m.stateName()
	text := fmt.Sprintf("STATUS=%s, generation %d: %s\n", state, m.machine.Generation, m.readyText())
	if text == m.notified {
		return
	}
	m.notified = text
	switch state {
	case "stopping":
		text += daemon.SdNotifyStopping
	case "reloading":
		text += fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, sys.Monotonic().Microseconds())
	default:
		text += daemon.SdNotifyReady
	}
	m.notifyManager(text)
}

// readyText says how many workers of each program serve.
func (m *master) readyText() string {
	var parts []string
	for _, p := range m.machine.Programs {
		parts = append(parts, fmt.Sprintf("%s %d of %d", p.Spec.Name, m.machine.ready(p), len(p.Slots)))
	}
	return strings.Join(parts, ", ")
}

func (m *master) notifyManager(text string) {
	if _, err := daemon.SdNotify(false, text); err != nil {
		m.logger.Warn("notify the service manager", "error", err)
	}
}

// managerPatience is by how much a start or stop that goes on extends the
// manager's time limits, a bit more often than that passes.
const managerPatience = 5 * time.Second

// calmManager sends what the service manager wants to hear again and again: that
// the master is alive, where it has a watchdog for that, and that a start or
// a stop takes its time.
func (m *master) calmManager() {
	every := managerPatience / 2
	if limit, err := daemon.SdWatchdogEnabled(false); err == nil && limit > 0 {
		every = min(every, limit/2)
		m.notifyManager(daemon.SdNotifyWatchdog)
	}
	if m.report != nil || m.machine.Phase == phaseStopping {
		m.notifyManager(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", managerPatience.Microseconds()))
	}
	m.after(every, m.calmManager)
}

// withoutManager is an environment for workers: what is between the service
// manager and the master is not in it.
func withoutManager(env []string) []string {
	return slices.DeleteFunc(env, func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains([]string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"}, name)
	})
}

// managed reports whether a service manager listens.
func managed() bool { return os.Getenv("NOTIFY_SOCKET") != "" }
