package supervise

import (
	"fmt"
	"slices"
	"sync"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/jay-go/jay/internal/sys"
)

// notifier tells the service manager what the service does (sd_notify(3)), on a
// goroutine of its own: a manager that does not read its socket holds up
// nobody. What waits for it then is not every step, but what it has to know to
// arrive at the present state.
type notifier struct {
	put    func(text string) error // may block; called by the goroutine alone
	failed func(error)             // told why put fails, once for each reason
	wake   chan struct{}
	done   chan struct{}

	mu     sync.Mutex
	due    []notice // guarded by mu; states in order
	signs  []string // guarded by mu; what is said again and again, each once
	busy   bool     // guarded by mu; put is running
	closed bool     // guarded by mu
}

// notice is a state of the service, for the manager.
type notice struct {
	state  string // READY=1 or the like
	status string // a line for people
	extra  string // what belongs to the state
}

func (n notice) text() string { return n.status + "\n" + n.state + n.extra }

func newNotifier(put func(string) error, failed func(error)) *notifier {
	n := &notifier{put: put, failed: failed, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go n.run()
	return n
}

// notifyManager writes to the service manager's socket. It blocks while that is full.
func notifyManager(text string) error {
	_, err := daemon.SdNotify(false, text)
	return err
}

// tell queues a state. It takes the place of the same state before it, and a
// reload that the manager has not heard of that of an earlier one: the manager
// gets READY=1 first, one RELOADING=1 before the next, and STOPPING=1 last.
func (n *notifier) tell(state, status string) {
	next := notice{state: state, status: status}
	if state == daemon.SdNotifyReloading {
		next.extra = fmt.Sprintf("\nMONOTONIC_USEC=%d", sys.Monotonic().Microseconds())
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if at := slices.IndexFunc(n.due, func(d notice) bool { return d.state == daemon.SdNotifyReloading }); at >= 0 && state == daemon.SdNotifyReloading {
		if at < len(n.due)-1 { // it is over, and the manager never knew
			n.due = n.due[:at]
		}
	}
	if last := len(n.due) - 1; last >= 0 && n.due[last].state == state {
		n.due[last].status = status
	} else {
		n.due = append(n.due, next)
	}
	n.signal()
}

// sign queues what is said again and again, unless it is still to be sent.
func (n *notifier) sign(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !slices.Contains(n.signs, text) {
		n.signs = append(n.signs, text)
	}
	n.signal()
}

func (n *notifier) signal() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

func (n *notifier) run() {
	defer close(n.done)
	reason := ""
	for {
		text, more := n.next()
		if !more {
			return
		}
		if text == "" {
			<-n.wake
			continue
		}
		err := n.put(text)
		if err == nil {
			reason = ""
		} else if reason != err.Error() {
			reason = err.Error()
			n.failed(err)
		}
	}
}

// next takes what comes first: states, then signs; "" where there is nothing
// now, false where there will be nothing any more.
func (n *notifier) next() (text string, more bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case len(n.due) > 0:
		text, n.due = n.due[0].text(), n.due[1:]
	case len(n.signs) > 0:
		text, n.signs = n.signs[0], n.signs[1:]
	}
	n.busy = text != ""
	return text, n.busy || !n.closed
}

// close takes no more. The channel that it returns is closed when all is sent.
func (n *notifier) close() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	n.signal()
	return n.done
}

// idle reports whether nothing waits.
func (n *notifier) idle() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.due) == 0 && len(n.signs) == 0 && !n.busy
}
