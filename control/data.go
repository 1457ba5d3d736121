package control

import "time"

// Stats are the figures that a worker reports of itself; counters grow from
// the worker's start. They are the middle part of a worker's row in status.
// What is nil is not known: it is absent from JSON and metrics, and "-" in a
// table.
type Stats struct {
	Connections    *int64   `json:"connections,omitempty"`
	Accepted       *int64   `json:"accepted,omitempty"`
	Refused        *int64   `json:"refused,omitempty"`
	Requests       *int64   `json:"requests,omitempty"`
	BytesIn        *int64   `json:"bytes_in,omitempty"`
	BytesOut       *int64   `json:"bytes_out,omitempty"`
	SendFailures   *int64   `json:"send_failures,omitempty"`
	AcceptErrors   *int64   `json:"accept_errors,omitempty"`
	Panics         *int64   `json:"panics,omitempty"`
	Timers         *int64   `json:"timers,omitempty"`
	LoopSaturation *float64 `json:"loop_saturation,omitempty"` // 0 idle to 1 busy
	CallbackP99    *float64 `json:"callback_p99_s,omitempty"`  // 99 of 100 callbacks lately took no longer
	BusySeconds    *float64 `json:"busy_s,omitempty"`          // how long the present callback runs
	BusyIn         *string  `json:"busy_in,omitempty"`         // which callback that is; "" is none
	HandedOverIn   *int64   `json:"handed_over_in,omitempty"`
	HandedOverOut  *int64   `json:"handed_over_out,omitempty"`
}

// LoopStats are the figures of one loop of a worker that has several.
type LoopStats struct {
	Name string `json:"name"`
	Stats
}

// ConnectionInfo is one row of the connections table.
type ConnectionInfo struct {
	ID          uint64  `json:"id"`
	Loop        string  `json:"loop,omitempty"` // of the worker's, where it has several
	Transport   string  `json:"transport"`
	Protocol    string  `json:"protocol"`
	Dialled     bool    `json:"dialled,omitempty"` // from here, not accepted
	Local       string  `json:"local"`
	Remote      string  `json:"remote"`
	State       string  `json:"state"`
	AgeSeconds  float64 `json:"age_s"`
	IdleSeconds float64 `json:"idle_s"`
	RecvQueue   int64   `json:"recv_queue"`
	SendQueue   int64   `json:"send_queue"`
	BytesIn     int64   `json:"bytes_in"`
	BytesOut    int64   `json:"bytes_out"`
}

// ProgramStatus is a program's row in status.
type ProgramStatus struct {
	Name      string   `json:"name"`
	Addresses []string `json:"addresses"`
	Protocol  string   `json:"protocol"`
	Want      int      `json:"want"`
	Ready     int      `json:"ready"`
	Restarts  int      `json:"restarts"`
	LastExit  string   `json:"last_exit"`
	Exclusive bool     `json:"exclusive,omitempty"` // see Program

	// Connections that wait in the program's TCP sockets to be accepted, and
	// for how many there is room in them.
	Queued  int `json:"accept_queue"`
	Backlog int `json:"accept_backlog"`

	// Totals are what all workers of the program have counted since the service was
	// started, those that have ended as well.
	Totals Totals `json:"totals"`

	// Problems are addresses that clients do not reach, and why.
	Problems []string `json:"problems"`

	// Limits are what the program and its workers are held to, by name with the
	// unit at the end; what is not there has no limit.
	Limits map[string]float64 `json:"limits"`
}

// Totals are what the workers of a program have counted together: Stats has
// counters only.
type Totals struct {
	Stats
	Metrics map[string]float64 `json:"metrics,omitempty"` // those that the program has added
}

// WorkerStatus is a worker's row in status.
type WorkerStatus struct {
	Program          string    `json:"program"`
	Slot             int       `json:"slot"`
	PID              int       `json:"pid"`
	Generation       int       `json:"generation"`
	State            string    `json:"state"` // starting, ready, draining, backoff, failed, silent
	Started          time.Time `json:"started"`
	AgeSeconds       float64   `json:"age_s"`
	RSSBytes         int64     `json:"rss_bytes"`
	HeapBytes        int64     `json:"heap_bytes"`
	MemoryLimitBytes int64     `json:"memory_limit_bytes"` // its GOMEMLIMIT from the master; 0: none
	CPUPercent       float64   `json:"cpu_percent"`
	LogDropped       int64     `json:"log_dropped"` // lines that its logger could not write
	Stats
	RequestsPerSecond *float64 `json:"requests_per_s,omitempty"` // nil: requests are not known

	// Loops has a row for each loop of a worker that has several.
	Loops []LoopStats `json:"loops,omitempty"`

	// Metrics are the figures that the program has added; see Worker.Metrics.
	Metrics map[string]float64 `json:"metrics,omitempty"`

	// Unhealthy are the parts that say so, and why; see Worker.Health.
	Unhealthy map[string]string `json:"unhealthy,omitempty"`
}

// Status is the body of GET /v1/status.
type Status struct {
	Version          string          `json:"version"`
	Path             string          `json:"path"` // the program's file, as it was started
	PID              int             `json:"pid"`
	Started          time.Time       `json:"started"`
	UptimeSeconds    float64         `json:"uptime_s"` // by a clock that does not step
	Generation       int             `json:"generation"`
	State            string          `json:"state"` // running, degraded, reloading, stopping
	Loop             string          `json:"loop"`
	MemoryLimitBytes int64           `json:"memory_limit_bytes"` // of all processes, from which the workers' follow; 0: none
	Programs         []ProgramStatus `json:"programs"`
	Workers          []WorkerStatus  `json:"workers"`
	Operations       []Operation     `json:"operations,omitempty"` // those that have not ended
	LogDropped       int64           `json:"log_dropped"`          // lines that are in no log, since the start
	LogError         string          `json:"log_error"`            // why the log cannot be written now
}

// ConnectionRow is a connection of some worker.
type ConnectionRow struct {
	Program string `json:"program"`
	Slot    int    `json:"slot"`
	PID     int    `json:"pid"`
	ConnectionInfo
}

// ConnectionList is the body of GET /v1/connections.
type ConnectionList struct {
	Connections []ConnectionRow `json:"connections"`
	Next        string          `json:"next"`               // what after= has to be for the next page; "" at the end
	Missing     []int           `json:"missing"`            // pids of workers that did not answer
	Unlisted    []int           `json:"unlisted,omitempty"` // and of those that cannot tell, which may have some
}

// Operation is a command in progress, or finished: the body of GET
// /v1/operations/ID.
type Operation struct {
	ID     string         `json:"operation"`
	Kind   string         `json:"kind"`  // reload, upgrade, scale, stop, restart, hold, reopen-logs
	State  string         `json:"state"` // one of the constants
	Error  string         `json:"error,omitempty"`
	Detail map[string]any `json:"detail,omitempty"`
	Waits  string         `json:"waits,omitempty"` // what for
	Asked  int            `json:"asked,omitempty"` // scale: the count
}

// The states of an Operation.
const (
	OperationRunning = "running"
	OperationDone    = "done"
	OperationFailed  = "failed"
)
