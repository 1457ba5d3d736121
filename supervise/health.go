package supervise

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jay-go/jay/internal/logs"
)

const (
	maxAilments  = 32                     // parts of a worker that may be unhealthy at a time
	maxAilment   = 300                    // bytes of a reason
	maxPart      = 64                     // bytes of a part's name
	healthPeriod = 100 * time.Millisecond // between two messages about it
)

// Health says how a part of the worker is: "" is the program itself, any other
// is a name, such as that of the package that says so. With an error the
// worker serves, but worse than it should, because of what the error says; nil
// takes that back. The service is degraded as long as any part of a worker in
// service has an error: status and the log give the reasons, /readyz is 503 with
// them, and jay_worker_healthy is 0. Nothing is restarted for it: what a new process
// would cure is an error of Run, and what blocks a loop is the watchdog's. It belongs
// to the process: the next worker of the slot begins as healthy.
//
// Any goroutine may call it, as often as it likes.
func (w *Worker) Health(part string, err error) {
	part = logs.Printable(part, maxPart)
	reason := ""
	if err != nil {
		reason = or(logs.Printable(strings.ReplaceAll(err.Error(), "\n", "; "), maxAilment), "it does not say why")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	before, ill := w.ailments[part]
	if reason == before {
		return
	}
	if !ill && len(w.ailments) >= maxAilments {
		w.logger.Warn("more is wrong than can be told", "part", part, "why", reason)
		return
	}
	if w.ailments == nil {
		w.ailments = map[string]string{}
	}
	delete(w.ailments, part)
	if err != nil {
		w.ailments[part] = reason
	}
	switch {
	case w.master == nil && err != nil:
		w.logger.Warn("worker is not healthy", "part", part, "why", reason)
	case w.master == nil:
		w.logger.Info("worker is healthy again", "part", part)
	case !w.telling:
		w.telling = true
		wait := max(time.Until(w.toldHealth.Add(healthPeriod)), 0)
		time.AfterFunc(wait, w.tellHealth) // to the end of the process, in case
	}
}

// tellHealth tells the master how the worker is by now.
func (w *Worker) tellHealth() {
	w.mu.Lock()
	w.telling, w.toldHealth = false, time.Now()
	m := message{Kind: msgHealth, Health: maps.Clone(w.ailments)}
	w.mu.Unlock()
	w.tell(m)
}

// health are the parts that are not, and why.
func (w *Worker) health() map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.ailments)
}

// ailments are a line for each part of a worker that is not healthy.
func ailments(program string, slot, pid int, health map[string]string) (list []string) {
	for _, part := range namesOf(health) {
		why := health[part]
		if part != "" {
			why = part + ": " + why
		}
		list = append(list, fmt.Sprintf("%s/%d (pid %d): %s", program, slot, pid, why))
	}
	return list
}

// namesOf are the names of the parts, in order.
func namesOf(health map[string]string) (parts []string) {
	for part := range health {
		parts = append(parts, part)
	}
	slices.Sort(parts)
	return parts
}
