package supervise

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// printTable prints rows under a header, columns aligned. Cells are made safe
// for a terminal; an empty one is shown as "-".
func printTable(w io.Writer, header []string, rows [][]string) {
	all := append([][]string{header}, rows...)
	width := make([]int, len(header))
	for _, row := range all {
		for i, cell := range row {
			row[i] = printable(or(cell, "-"), 120)
			width[i] = max(width[i], utf8.RuneCountInString(row[i]))
		}
	}
	for _, row := range all {
		var b strings.Builder
		for i, cell := range row {
			if i > 0 {
				b.WriteString("  ")
			}
			b.WriteString(cell)
			b.WriteString(strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell)))
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
}

// printStart prints what a start shows: the service and one row a program.
func printStart(w io.Writer, s Status, runDir string) {
	fmt.Fprintf(w, "version %s   loop %s   run directory %s\n", s.Version, or(s.Loop, "-"), runDir)
	var rows [][]string
	for _, p := range s.Programs {
		state := "ready"
		if p.Ready < p.Want {
			state = fmt.Sprintf("%d of %d ready", p.Ready, p.Want)
		}
		rows = append(rows, []string{p.Name, strings.Join(p.Addresses, " "), p.Protocol, strconv.Itoa(p.Want), state})
	}
	printTable(w, []string{"NAME", "ADDRESS", "PROTOCOL", "WORKERS", "STATE"}, rows)
}

// printStatus prints the status as tables.
func printStatus(w io.Writer, s Status, runDir string) {
	fmt.Fprintf(w, "%s   pid %d   up %s   version %s   generation %d   loop %s   run directory %s", s.State, s.PID,
		age(time.Since(s.Started)), s.Version, s.Generation, or(s.Loop, "-"), runDir)
	if s.MemoryLimitBytes > 0 {
		fmt.Fprintf(w, "   memory limit %s", size(s.MemoryLimitBytes))
	}
	fmt.Fprint(w, "\n\n")
	printLogState(w, s)
	var rows [][]string
	for _, p := range s.Programs {
		rows = append(rows, []string{
			p.Name, strings.Join(p.Addresses, " "), p.Protocol, fmt.Sprintf("%d/%d", p.Ready, p.Want), strconv.Itoa(p.Restarts), queue(p), p.LastExit,
		})
	}
	printTable(w, []string{"NAME", "ADDRESS", "PROTOCOL", "READY", "RESTARTS", "QUEUE", "LAST EXIT"}, rows)
	fmt.Fprintln(w)
	rows = nil
	for _, r := range s.Workers {
		busy := ""
		if r.BusySeconds > 0 {
			busy = fmt.Sprintf("%.1fs %s", r.BusySeconds, r.BusyIn)
		}
		rows = append(rows, []string{
			fmt.Sprintf("%s/%d", r.Program, r.Slot), number0(int64(r.PID)), strconv.Itoa(r.Generation), r.State,
			age(time.Duration(r.AgeSeconds * float64(time.Second))), size(r.RSSBytes), size(r.HeapBytes), fmt.Sprintf("%.1f", r.CPUPercent),
			strconv.FormatInt(r.Connections, 10), strconv.FormatInt(r.Refused, 10), strconv.FormatInt(r.Requests, 10), fmt.Sprintf("%.0f", r.RequestsPerSecond),
			strconv.FormatInt(r.SendFailures, 10), strconv.FormatInt(r.AcceptErrors, 10), strconv.FormatInt(r.Panics, 10),
			strconv.FormatInt(r.Timers, 10), fmt.Sprintf("%.2f", r.LoopSaturation), callbackTime(r.CallbackP99), busy,
		})
	}
	printTable(w, []string{"WORKER", "PID", "GEN", "STATE", "AGE", "RSS", "HEAP", "CPU%", "CONNS", "REFUSED", "REQUESTS", "REQ/S", "SENDFAIL", "ACCERR",
		"PANICS", "TIMERS", "LOOP", "P99", "BUSY"}, rows)
}

// callbackTime is a time in seconds, with as many digits as say something.
func callbackTime(s float64) string {
	if s == 0 {
		return "-"
	}
	d := time.Duration(s * float64(time.Second))
	unit := time.Nanosecond
	for unit <= d/100 { // the other way round a worker's nonsense would overflow
		unit *= 10
	}
	return d.Round(unit).String()
}

// queue is a program's accept queue: waiting/room.
func queue(p ProgramStatus) string {
	if p.Backlog == 0 {
		return "-"
	}
	return fmt.Sprintf("%d/%d", p.Queued, p.Backlog)
}

// printLogState tells of lines that are in no log; where all are it says nothing.
func printLogState(w io.Writer, s Status) {
	text := ""
	if s.LogDropped > 0 {
		text += fmt.Sprintf("   %d lines dropped", s.LogDropped)
	}
	for _, r := range s.Workers {
		if r.LogDropped > 0 {
			text += fmt.Sprintf("   %d by worker %s/%d (pid %d)", r.LogDropped, r.Program, r.Slot, r.PID)
		}
	}
	if s.LogError != "" {
		text += "   now: " + printable(s.LogError, 200)
	}
	if text != "" {
		fmt.Fprintf(w, "log%s\n\n", text)
	}
}

// printConnections prints connections as a table.
func printConnections(w io.Writer, l ConnectionList) {
	var rows [][]string
	for _, c := range l.Connections {
		rows = append(rows, []string{
			strconv.Itoa(c.PID), fmt.Sprintf("%s/%d", c.Program, c.Slot), strconv.FormatUint(c.ID, 10), c.Transport, c.Protocol,
			strconv.FormatInt(c.RecvQueue, 10), strconv.FormatInt(c.SendQueue, 10), size(c.BytesIn), size(c.BytesOut), c.State,
			fmt.Sprintf("%.1fs", c.AgeSeconds), fmt.Sprintf("%.1fs", c.IdleSeconds), c.Local, c.Remote,
		})
	}
	printTable(w, []string{"PID", "WORKER", "ID", "TRANS", "PROTOCOL", "RECV-Q", "SEND-Q", "IN", "OUT", "STATE", "AGE", "IDLE", "LOCAL", "REMOTE"}, rows)
	if len(l.Missing) > 0 {
		fmt.Fprintf(w, "did not answer: %v\n", l.Missing)
	}
}

// connectionColumns are what connections can be sorted by.
func connectionColumns() map[string]func(a, b ConnectionRow) int {
	return map[string]func(a, b ConnectionRow) int{
		"id":         func(a, b ConnectionRow) int { return cmp.Compare(a.ID, b.ID) },
		"pid":        func(a, b ConnectionRow) int { return cmp.Compare(a.PID, b.PID) },
		"program":    func(a, b ConnectionRow) int { return cmp.Compare(a.Program, b.Program) },
		"state":      func(a, b ConnectionRow) int { return cmp.Compare(a.State, b.State) },
		"remote":     func(a, b ConnectionRow) int { return cmp.Compare(a.Remote, b.Remote) },
		"age":        func(a, b ConnectionRow) int { return cmp.Compare(b.AgeSeconds, a.AgeSeconds) },
		"idle":       func(a, b ConnectionRow) int { return cmp.Compare(b.IdleSeconds, a.IdleSeconds) },
		"recv_queue": func(a, b ConnectionRow) int { return cmp.Compare(b.RecvQueue, a.RecvQueue) },
		"send_queue": func(a, b ConnectionRow) int { return cmp.Compare(b.SendQueue, a.SendQueue) },
		"bytes_in":   func(a, b ConnectionRow) int { return cmp.Compare(b.BytesIn, a.BytesIn) },
		"bytes_out":  func(a, b ConnectionRow) int { return cmp.Compare(b.BytesOut, a.BytesOut) },
	}
}

// sortConnections sorts by a column, figures from the largest.
func sortConnections(rows []ConnectionRow, column string) error {
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

func mergeMissing(a, b []int) []int {
	a = append(a, b...)
	slices.Sort(a)
	return slices.Compact(a)
}

// age prints a duration for people: "3d4h", "5m7s", "1.2s".
func age(d time.Duration) string {
	switch {
	case d >= 24*time.Hour:
		return fmt.Sprintf("%dd%dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%.1fs", d.Seconds())
}

// size prints bytes with a binary unit.
func size(n int64) string {
	f, units := float64(n), "BKMGT"
	for f >= 1024 && len(units) > 1 {
		f, units = f/1024, units[1:]
	}
	if units[0] == 'B' {
		return strconv.FormatInt(n, 10)
	}
	return fmt.Sprintf("%.1f%c", f, units[0])
}

// number0 prints a number that means nothing when it is zero.
func number0(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// together says that a change was made for several commands.
func together(detail map[string]any) string {
	switch n, asked := detail["together"], detail["asked"]; {
	case n == nil:
		return ""
	case asked == nil:
		return fmt.Sprintf(" (one change for %v commands)", n)
	default:
		return fmt.Sprintf(" (one change for %v commands; this one asked for %v)", n, asked)
	}
}
