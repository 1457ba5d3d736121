package supervise

import (
	"fmt"
	"maps"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/internal/sys"
)

// metric is one metric of a kind of row.
type metric[T any] struct {
	name, kind, help string
	value            func(T) float64 // NaN: not known, and not there
}

// known is a figure, or NaN.
func known[T int64 | float64](v *T) float64 {
	if v == nil {
		return math.NaN()
	}
	return float64(*v)
}

func programMetrics() []metric[control.ProgramStatus] {
	return []metric[control.ProgramStatus]{
		{"jay_program_workers_wanted", "gauge", "Workers that the program is to have.", func(p control.ProgramStatus) float64 { return float64(p.Want) }},
		{"jay_program_workers_ready", "gauge", "Slots with a worker that serves.", func(p control.ProgramStatus) float64 { return float64(p.Ready) }},
		{"jay_program_restarts_total", "counter", "Workers that have ended by themselves.", func(p control.ProgramStatus) float64 { return float64(p.Restarts) }},
		{"jay_program_accept_queue", "gauge", "Connections that wait to be accepted.", func(p control.ProgramStatus) float64 { return float64(p.Queued) }},
		{"jay_program_accept_backlog", "gauge", "Room for connections that wait to be accepted.", func(p control.ProgramStatus) float64 { return float64(p.Backlog) }},
		{"jay_program_accepted_total", "counter", "Connections accepted by all workers since the start.", func(p control.ProgramStatus) float64 { return known(p.Totals.Accepted) }},
		{"jay_program_refused_total", "counter", "Connections refused by all workers since the start.", func(p control.ProgramStatus) float64 { return known(p.Totals.Refused) }},
		{"jay_program_requests_total", "counter", "Requests or messages handled by all workers since the start.", func(p control.ProgramStatus) float64 { return known(p.Totals.Requests) }},
		{"jay_program_received_bytes_total", "counter", "Bytes received by all workers since the start.", func(p control.ProgramStatus) float64 { return known(p.Totals.BytesIn) }},
		{"jay_program_sent_bytes_total", "counter", "Bytes sent by all workers since the start.", func(p control.ProgramStatus) float64 { return known(p.Totals.BytesOut) }},
		{"jay_program_panics_total", "counter", "Panics in callbacks of all workers since the start.", func(p control.ProgramStatus) float64 { return known(p.Totals.Panics) }},
	}
}

func workerMetrics() []metric[control.WorkerStatus] {
	return []metric[control.WorkerStatus]{
		{"jay_worker_healthy", "gauge", "1 where no part of the worker says that it is not healthy.", func(w control.WorkerStatus) float64 {
			return map[bool]float64{true: 1}[len(w.Unhealthy) == 0]
		}},
		{"jay_worker_age_seconds", "gauge", "Time since the worker's start.", func(w control.WorkerStatus) float64 { return w.AgeSeconds }},
		{"jay_worker_memory_limit_bytes", "gauge", "GOMEMLIMIT from the master; 0: none.", func(w control.WorkerStatus) float64 { return float64(w.MemoryLimitBytes) }},
		{"jay_worker_rss_bytes", "gauge", "Resident memory.", func(w control.WorkerStatus) float64 { return float64(w.RSSBytes) }},
		{"jay_worker_heap_bytes", "gauge", "Memory of heap objects.", func(w control.WorkerStatus) float64 { return float64(w.HeapBytes) }},
		{"jay_worker_cpu_percent", "gauge", "Processor time lately; 100 is one processor.", func(w control.WorkerStatus) float64 { return w.CPUPercent }},
		{"jay_worker_log_dropped_lines_total", "counter", "Lines that the worker's logger could not write.", func(w control.WorkerStatus) float64 { return float64(w.LogDropped) }},
		{"jay_worker_connections", "gauge", "Open connections.", func(w control.WorkerStatus) float64 { return known(w.Connections) }},
		{"jay_worker_accepted_total", "counter", "Connections accepted.", func(w control.WorkerStatus) float64 { return known(w.Accepted) }},
		{"jay_worker_refused_total", "counter", "Connections refused for want of room.", func(w control.WorkerStatus) float64 { return known(w.Refused) }},
		{"jay_worker_requests_total", "counter", "Requests or messages handled.", func(w control.WorkerStatus) float64 { return known(w.Requests) }},
		{"jay_worker_received_bytes_total", "counter", "Bytes received.", func(w control.WorkerStatus) float64 { return known(w.BytesIn) }},
		{"jay_worker_sent_bytes_total", "counter", "Bytes sent.", func(w control.WorkerStatus) float64 { return known(w.BytesOut) }},
		{"jay_worker_send_failures_total", "counter", "Sends that failed.", func(w control.WorkerStatus) float64 { return known(w.SendFailures) }},
		{"jay_worker_accept_errors_total", "counter", "Failures of accept.", func(w control.WorkerStatus) float64 { return known(w.AcceptErrors) }},
		{"jay_worker_panics_total", "counter", "Panics in callbacks.", func(w control.WorkerStatus) float64 { return known(w.Panics) }},
		{"jay_worker_timers", "gauge", "Timers that are set.", func(w control.WorkerStatus) float64 { return known(w.Timers) }},
		{"jay_worker_loop_saturation", "gauge", "Share of time that the loop is busy, 0 to 1.", func(w control.WorkerStatus) float64 { return known(w.LoopSaturation) }},
		{"jay_worker_callback_p99_seconds", "gauge", "Time within which 99 of 100 callbacks ended lately.", func(w control.WorkerStatus) float64 { return known(w.CallbackP99) }},
		{"jay_worker_busy_seconds", "gauge", "How long the present callback runs.", func(w control.WorkerStatus) float64 { return known(w.BusySeconds) }},
		{"jay_worker_handed_over_in_total", "counter", "Connections taken over from other workers.", func(w control.WorkerStatus) float64 { return known(w.HandedOverIn) }},
		{"jay_worker_handed_over_out_total", "counter", "Connections given to other workers.", func(w control.WorkerStatus) float64 { return known(w.HandedOverOut) }},
	}
}

// metricsText is a status in the text format of Prometheus. Slots without a
// process are only in the figures of their program.
func metricsText(s snapshot) string {
	var b strings.Builder
	write := func(name, kind, help string, labels string, value float64) {
		if help != "" {
			fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", name, strings.ReplaceAll(help, `\`, `\\`), name, kind)
		}
		fmt.Fprintf(&b, "%s%s %s\n", name, labels, strconv.FormatFloat(value, 'g', -1, 64))
	}
	write("jay_info", "gauge", "The service.", labels("version", s.Version, "loop", s.Loop), 1)
	write("jay_start_time_seconds", "gauge", "When the service was started.", "", float64(s.Started.UnixMilli())/1000)
	write("jay_generation", "gauge", "Generation of code, from 1.", "", float64(s.Generation))
	write("jay_log_dropped_lines_total", "counter", "Lines that are in no log.", "", float64(s.LogDropped))
	help := "1 for the state that the service is in."
	for _, state := range serviceStates() {
		value := 0.0
		if s.State == state {
			value = 1
		}
		write("jay_state", "gauge", help, labels("state", state), value)
		help = ""
	}
	write("jay_listen_overflows_total", "counter", "Connections that found no room to wait, in this network namespace.", "", float64(sys.ListenOverflows()))
	write("jay_master_rss_bytes", "gauge", "Resident memory of the master.", "", float64(rss(os.Getpid())))
	write("jay_master_goroutines", "gauge", "Goroutines of the master.", "", float64(runtime.NumGoroutine()))
	write("jay_master_open_descriptors", "gauge", "Descriptors that the master has open.", "", float64(openDescriptors()))
	for _, m := range programMetrics() {
		help := m.help
		for _, p := range s.Programs {
			value := m.value(p)
			if math.IsNaN(value) {
				continue
			}
			write(m.name, m.kind, help, labels("program", p.Name), value)
			help = ""
		}
	}
	help = "What the program and each of its workers are held to; what is not there has no limit."
	for _, p := range s.Programs {
		for _, name := range slices.Sorted(maps.Keys(p.Limits)) {
			write("jay_program_limit", "gauge", help, labels("program", p.Name, "limit", name), p.Limits[name])
			help = ""
		}
	}
	for _, m := range workerMetrics() {
		help := m.help
		for _, w := range s.Workers {
			value := m.value(w)
			if w.PID == 0 || math.IsNaN(value) {
				continue
			}
			write(m.name, m.kind, help, labels("program", w.Program, "slot", strconv.Itoa(w.Slot), "pid", strconv.Itoa(w.PID)), value)
			help = ""
		}
	}
	for _, m := range addedMetrics(s) {
		help := m.help
		for _, row := range m.rows {
			write(m.name, m.kind, help, row.labels, row.value)
			help = ""
		}
	}
	return b.String()
}

// addedMetric is a figure that programs have added, with all its rows.
type addedMetric struct {
	kind, name, help string
	rows             []addedRow
}

type addedRow struct {
	labels string
	value  float64
}

// addedMetrics are the figures that programs have added, by name: counters of
// each slot, with what its earlier workers have counted, and gauges of each
// worker. No name is both: that of a counter ends in _total.
func addedMetrics(s snapshot) []*addedMetric {
	found := map[string]*addedMetric{}
	add := func(kind, name, help string, value float64, pairs ...string) {
		m := found[name]
		if m == nil {
			m = &addedMetric{kind: kind, name: name, help: help}
			found[name] = m
		}
		m.rows = append(m.rows, addedRow{labels(pairs...), value})
	}
	for _, p := range s.Programs {
		for _, slot := range slices.Sorted(maps.Keys(s.totals[p.Name].Metrics)) {
			for name, c := range s.totals[p.Name].Metrics[slot] {
				add(metricCounter, name, c.Help, c.Value, "program", p.Name, "slot", strconv.Itoa(slot))
			}
		}
	}
	for _, w := range s.Workers {
		for _, v := range s.added[w.PID] {
			if v.Kind == metricGauge {
				add(metricGauge, v.Name, v.Help, v.Value, "program", w.Program, "slot", strconv.Itoa(w.Slot), "pid", strconv.Itoa(w.PID))
			}
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b *addedMetric) int { return strings.Compare(a.name, b.name) })
}

// labels writes names and values in turn.
func labels(pairs ...string) string {
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
	var list []string
	for i := 0; i+1 < len(pairs); i += 2 {
		list = append(list, pairs[i]+`="`+quote.Replace(pairs[i+1])+`"`)
	}
	return "{" + strings.Join(list, ",") + "}"
}

// openDescriptors counts those of this process; 0 where they cannot be read.
func openDescriptors() int {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return 0
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	return max(len(names)-1, 0) // dir is one of them
}
