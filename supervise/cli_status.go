package supervise

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/internal/logs"
)

// printStart prints what a start shows: the service and one row a program.
func printStart(w *screen, s control.Status, runDir string) {
	w.line("version "+s.Version, "loop "+or(s.Loop, "-"), "run directory "+runDir)
	var rows [][]string
	for _, p := range s.Programs {
		state := "ready"
		if p.Ready < p.Want {
			state = fmt.Sprintf("%d of %d ready", p.Ready, p.Want)
		}
		rows = append(rows, addressRows(p.Addresses, 1, p.Name, "", p.Protocol, strconv.Itoa(p.Want), state)...)
	}
	w.table([]string{"NAME", "ADDRESS", "PROTOCOL", "WORKERS", "STATE"}, rows)
	w.rest("status --json has all of it")
}

// printStatus prints the status as tables.
func printStatus(w *screen, s control.Status, runDir string) {
	parts := []string{
		s.State, fmt.Sprintf("pid %d", s.PID), "up " + age(time.Duration(s.UptimeSeconds*float64(time.Second))), "version " + s.Version, fmt.Sprintf("generation %d", s.Generation),
		"loop " + or(s.Loop, "-"), "run directory " + runDir,
	}
	if s.MemoryLimitBytes > 0 {
		parts = append(parts, "memory limit "+size(s.MemoryLimitBytes))
	}
	w.line(parts...)
	fmt.Fprintln(w)
	printLogState(w, s)
	var rows [][]string
	for _, p := range s.Programs {
		ready := fmt.Sprintf("%d/%d", p.Ready, p.Want)
		if p.Exclusive {
			ready += " exclusive"
		}
		rows = append(rows, addressRows(p.Addresses, 1, p.Name, "", p.Protocol, ready, strconv.Itoa(p.Restarts), queue(p), p.LastExit)...)
	}
	w.table([]string{"NAME", "ADDRESS", "PROTOCOL", "READY", "RESTARTS", "QUEUE", "LAST EXIT"}, rows)
	for _, p := range s.Programs {
		for _, problem := range p.Problems {
			fmt.Fprintf(w, "%s: %s\n", logs.Printable(p.Name, 120), logs.Printable(problem, 500))
		}
	}
	for _, op := range s.Operations {
		if op.Waits != "" {
			fmt.Fprintf(w, "%s waits: %s\n", op.Kind, logs.Printable(op.Waits, 500))
		}
	}
	for _, r := range s.Workers {
		for _, line := range ailments(r.Program, r.Slot, r.PID, r.Unhealthy) {
			fmt.Fprintln(w, logs.Printable(line, 500))
		}
	}
	fmt.Fprintln(w)
	rows = nil
	for _, r := range s.Workers {
		busy := busyText(r.Stats)
		rows = append(rows, []string{
			fmt.Sprintf("%s/%d", r.Program, r.Slot), number0(int64(r.PID)), strconv.Itoa(r.Generation), r.State,
			age(time.Duration(r.AgeSeconds * float64(time.Second))), size(r.RSSBytes), size(r.HeapBytes), fmt.Sprintf("%.1f", r.CPUPercent),
			figure("%d", r.Connections), figure("%d", r.Refused), figure("%d", r.Requests), figure("%.0f", r.RequestsPerSecond),
			figure("%d", r.SendFailures), figure("%d", r.AcceptErrors), figure("%d", r.Panics),
			figure("%d", r.Timers), figure("%.2f", r.LoopSaturation), callbackTime(r.CallbackP99), busy,
		})
		rows = append(rows, loopRows(r.Loops)...)
	}
	w.table([]string{"WORKER", "PID", "GEN", "STATE", "AGE", "RSS", "HEAP", "CPU%", "CONNS", "REFUSED", "REQUESTS", "REQ/S", "SENDFAIL", "ACCERR",
		"PANICS", "TIMERS", "LOOP", "P99", "BUSY"}, rows)
	w.rest("status --json has all of it")
}

// busyText is the present callback of a loop that is busy.
func busyText(s control.Stats) string {
	if s.BusySeconds == nil || *s.BusySeconds <= 0 {
		return ""
	}
	return fmt.Sprintf("%.1fs %s", *s.BusySeconds, figure("%s", s.BusyIn))
}

// loopRows are the rows of a worker's loops, where it has several, below its own.
func loopRows(loops []control.LoopStats) (rows [][]string) {
	for _, l := range loops {
		row := []string{"  loop " + l.Name}
		for range 7 {
			row = append(row, " ")
		}
		rows = append(rows, append(row, figure("%d", l.Connections), figure("%d", l.Refused), figure("%d", l.Requests), " ",
			figure("%d", l.SendFailures), figure("%d", l.AcceptErrors), figure("%d", l.Panics),
			figure("%d", l.Timers), figure("%.2f", l.LoopSaturation), callbackTime(l.CallbackP99), busyText(l.Stats)))
	}
	return rows
}

// addressRows are the rows of a program: the first with all of it, and one more for
// each further address.
func addressRows(addresses []string, at int, cells ...string) [][]string {
	rows := [][]string{cells}
	for i, a := range addresses {
		if i > 0 {
			further := make([]string, len(cells))
			for j := range further {
				further[j] = " "
			}
			rows = append(rows, further)
		}
		rows[i][at] = a
	}
	return rows
}

// figure prints a figure; one that is not known is empty.
func figure[T any](format string, v *T) string {
	if v == nil {
		return ""
	}
	return fmt.Sprintf(format, *v)
}

// callbackTime is a time in seconds, with as many digits as say something.
func callbackTime(s *float64) string {
	if s == nil || *s == 0 {
		return "-"
	}
	d := time.Duration(*s * float64(time.Second))
	unit := time.Nanosecond
	for unit <= d/100 { // the other way round a worker's nonsense would overflow
		unit *= 10
	}
	return d.Round(unit).String()
}

// queue is a program's accept queue: waiting/room.
func queue(p control.ProgramStatus) string {
	if p.Backlog == 0 {
		return "-"
	}
	return fmt.Sprintf("%d/%d", p.Queued, p.Backlog)
}

// printLogState tells of lines that are in no log; where all are it says nothing.
func printLogState(w *screen, s control.Status) {
	parts := []string{"log"}
	if s.LogDropped > 0 {
		parts = append(parts, fmt.Sprintf("%d lines dropped", s.LogDropped))
	}
	for _, r := range s.Workers {
		if r.LogDropped > 0 {
			parts = append(parts, fmt.Sprintf("%d by worker %s/%d (pid %d)", r.LogDropped, r.Program, r.Slot, r.PID))
		}
	}
	if s.LogError != "" {
		parts = append(parts, "now: "+logs.Printable(s.LogError, 200))
	}
	if len(parts) > 1 {
		w.line(parts...)
		fmt.Fprintln(w)
	}
}

// printConnections prints connections as a table.
func printConnections(w *screen, l control.ConnectionList) {
	var rows [][]string
	for _, c := range l.Connections {
		protocol := c.Protocol
		if c.Dialled {
			protocol += ", dialled"
		}
		rows = append(rows, []string{
			strconv.FormatUint(c.ID, 10), fmt.Sprintf("%s/%d", c.Program, c.Slot), strconv.Itoa(c.PID), c.Transport, protocol,
			strconv.FormatInt(c.RecvQueue, 10), strconv.FormatInt(c.SendQueue, 10), size(c.BytesIn), size(c.BytesOut), c.State,
			fmt.Sprintf("%.1fs", c.AgeSeconds), fmt.Sprintf("%.1fs", c.IdleSeconds), c.Local, c.Remote,
		})
	}
	w.table([]string{"ID", "WORKER", "PID", "TRANS", "PROTOCOL", "RECV-Q", "SEND-Q", "IN", "OUT", "STATE", "AGE", "IDLE", "LOCAL", "REMOTE"}, rows)
	w.rest("connections --json has all of it")
	if len(l.Missing) > 0 {
		w.numbers("did not answer:", l.Missing)
	}
	if len(l.Unlisted) > 0 {
		w.numbers("keep no list, and may have some:", l.Unlisted)
	}
}

// connectionColumns are what connections can be sorted by.
func connectionColumns() map[string]func(a, b control.ConnectionRow) int {
	return map[string]func(a, b control.ConnectionRow) int{
		"id":         func(a, b control.ConnectionRow) int { return cmp.Compare(a.ID, b.ID) },
		"pid":        func(a, b control.ConnectionRow) int { return cmp.Compare(a.PID, b.PID) },
		"program":    func(a, b control.ConnectionRow) int { return cmp.Compare(a.Program, b.Program) },
		"state":      func(a, b control.ConnectionRow) int { return cmp.Compare(a.State, b.State) },
		"remote":     func(a, b control.ConnectionRow) int { return cmp.Compare(a.Remote, b.Remote) },
		"age":        func(a, b control.ConnectionRow) int { return cmp.Compare(b.AgeSeconds, a.AgeSeconds) },
		"idle":       func(a, b control.ConnectionRow) int { return cmp.Compare(b.IdleSeconds, a.IdleSeconds) },
		"recv_queue": func(a, b control.ConnectionRow) int { return cmp.Compare(b.RecvQueue, a.RecvQueue) },
		"send_queue": func(a, b control.ConnectionRow) int { return cmp.Compare(b.SendQueue, a.SendQueue) },
		"bytes_in":   func(a, b control.ConnectionRow) int { return cmp.Compare(b.BytesIn, a.BytesIn) },
		"bytes_out":  func(a, b control.ConnectionRow) int { return cmp.Compare(b.BytesOut, a.BytesOut) },
	}
}

// sortConnections sorts by a column, figures from the largest.
func sortConnections(rows []control.ConnectionRow, column string) error {
	if column == "" {
		return nil
	}
	columns := connectionColumns()
	by, ok := columns[column]
	if !ok {
		var names []string
		for name := range columns {
			names = append(names, name)
		}
		slices.Sort(names)
		return usagef("--sort %s: there is no such column%s", column, didYouMean(column, names))
	}
	slices.SortStableFunc(rows, by)
	return nil
}
