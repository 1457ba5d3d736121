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
	"github.com/jay-go/jay/internal/fleet"
	"github.com/jay-go/jay/internal/sys"
)

// activated is a socket that the service manager has opened for the service
// (sd_listen_fds(3)). The master keeps it for its whole life, so that a reload
// or a restart finds it again, and serves duplicates of it.
type activated struct {
	FD      int    `json:"fd"`
	Name    string `json:"name"`    // FileDescriptorName=
	Network string `json:"network"` // tcp, udp, unix, or "" for what no program can serve
	Bound   string `json:"bound"`   // in the form of package addr, without scheme
}

// takeActivated takes over what the service manager has passed, once.
func takeActivated() ([]activated, error) {
	var list []activated
	for _, f := range activation.Files(true) {
		a := activated{FD: -1, Name: f.Name()}
		err := onFD(f, func(fd int) (err error) {
			if a.Network, err = sys.BoundNetwork(fd); err != nil {
				return err
			}
			if a.Bound, err = sys.BoundAddr(fd); err != nil {
				return err
			}
			a.FD, err = sys.DupFD(fd)
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

// activatedFor finds the socket for an address of a program, listen[at]: the
// one that is bound to it. Those that have the program's name and are bound to
// none of its addresses are for the others, in the same order.
func activatedFor(list []activated, program string, listen []string, at int) (activated, bool) {
	var named []activated
	for _, s := range list {
		if s.Name == program && !slices.ContainsFunc(listen, s.isBoundTo) {
			named = append(named, s)
		}
	}
	for i, text := range listen {
		if k := slices.IndexFunc(list, func(s activated) bool { return s.isBoundTo(text) }); k >= 0 {
			if i == at {
				return list[k], true
			}
			continue
		}
		a, err := addr.Parse(text)
		if err != nil {
			continue
		}
		network, _ := a.Network()
		k := slices.IndexFunc(named, func(s activated) bool { return s.Network == network })
		switch {
		case i == at && k >= 0:
			return named[k], true
		case i == at:
			return activated{}, false
		case k >= 0:
			named = slices.Delete(named, k, k+1)
		}
	}
	return activated{}, false
}

// activatedFor finds the socket for an address of a program.
func (m *master) activatedFor(spec *fleet.Spec, at int) (activated, bool) {
	if len(m.activated) == 0 {
		return activated{}, false
	}
	return activatedFor(m.activated, spec.Name, m.hosts.literals(spec.Listen), at)
}

// unserved are the sockets that no program serves.
func unserved(list []activated, specs []fleet.Spec) []activated {
	used := map[int]bool{}
	for _, spec := range specs {
		for at := range spec.Listen {
			if s, ok := activatedFor(list, spec.Name, spec.Listen, at); ok {
				used[s.FD] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(list), func(s activated) bool { return used[s.FD] })
}

func (s activated) isBoundTo(text string) bool {
	a, err := addr.Parse(text)
	if err != nil {
		return false
	}
	network, address := a.Network()
	return network == s.Network && sys.IsBoundTo(s.Bound, network, address)
}

// open gives a duplicate that serves an address.
func (s activated) open(a addr.Addr, backlog int) (*fleet.Socket, error) {
	fd, err := sys.DupFD(s.FD)
	if err != nil {
		return nil, err
	}
	if err = sys.SetNonblock(fd); err == nil && !a.Datagram() {
		err = sys.SetBacklog(fd, backlog)
	}
	if err != nil {
		sys.Close(fd)
		return nil, fmt.Errorf("socket %s of the service manager: %w", s.Name, err)
	}
	return &fleet.Socket{ID: fd, Addr: boundName(a, s.Bound), Given: true}, nil
}

// tellManager tells the service manager what the service is doing, when that
// has changed (sd_notify(3)). Without one it does nothing.
func (m *master) tellManager() {
	if m.notifier == nil || m.report != nil && m.machine.Phase == fleet.PhaseRunning {
		return // there is none, or we have not started yet
	}
	state := m.stateName()
	text := fmt.Sprintf("STATUS=%s, generation %d: %s", state, m.machine.Generation, m.readyText())
	if text == m.notified {
		return
	}
	m.notified = text
	switch state {
	case "stopping":
		m.notifier.tell(daemon.SdNotifyStopping, text)
	case "reloading":
		m.notifier.tell(daemon.SdNotifyReloading, text)
	default:
		m.notifier.tell(daemon.SdNotifyReady, text)
	}
}

// readyText says how many workers of each program serve.
func (m *master) readyText() string {
	var parts []string
	for _, p := range m.machine.Programs {
		parts = append(parts, fmt.Sprintf("%s %d of %d", p.Spec.Name, m.machine.Ready(p), len(p.Slots)))
	}
	return strings.Join(parts, ", ")
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
		m.notifier.sign(daemon.SdNotifyWatchdog)
	}
	if m.report != nil || m.machine.Phase == fleet.PhaseStopping {
		m.notifier.sign(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", managerPatience.Microseconds()))
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
