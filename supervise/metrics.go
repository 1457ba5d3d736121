package supervise

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/jay-go/jay/internal/logs"
)

// Limits of what a worker's own figures are.
const (
	maxMetrics     = 256 // of a worker
	maxMetricName  = 100 // bytes
	maxMetricHelp  = 200 // bytes
	metricsInOne   = 32  // message
	metricCounter  = "counter"
	metricGauge    = "gauge"
	reservedPrefix = "jay_"
)

// A Metric is a figure that a program or a package adds to those of its worker: a
// [Counter] or a [Gauge]. [Worker.Metrics] has it shown.
type Metric interface {
	about() (kind, name, help string)
	now() float64
}

// A Counter counts what only grows. It counts from the beginning, whether or not
// it is shown. It must not be copied. Its methods may be called from any
// goroutine.
type Counter struct {
	// Name is what /metrics and status call it: letters, digits and _, with
	// _total at the end. Help is a line that says what is counted.
	Name, Help string

	n atomic.Uint64
}

// Add counts n more.
func (c *Counter) Add(n uint64) { c.n.Add(n) }

// Inc counts one more.
func (c *Counter) Inc() { c.n.Add(1) }

// Value is what was counted in this process.
func (c *Counter) Value() uint64 { return c.n.Load() }

func (c *Counter) about() (kind, name, help string) { return metricCounter, c.Name, c.Help }
func (c *Counter) now() float64                     { return float64(c.n.Load()) }

// A Gauge is a figure that goes up and down. It must not be copied. Its methods
// may be called from any goroutine.
type Gauge struct {
	// Name is what /metrics and status call it: letters, digits and _. Help is a
	// line that says what it is.
	Name, Help string

	// Func, if set, gives the value, in the place of Set and Add; NaN is not
	// known. It is called from a goroutine of the package whenever the master
	// asks, and must not block.
	Func func() float64

	bits atomic.Uint64
}

// Set makes v the value.
func (g *Gauge) Set(v float64) { g.bits.Store(math.Float64bits(v)) }

// Add adds to the value.
func (g *Gauge) Add(v float64) {
	for {
		old := g.bits.Load()
		if g.bits.CompareAndSwap(old, math.Float64bits(math.Float64frombits(old)+v)) {
			return
		}
	}
}

// Value is the present value.
func (g *Gauge) Value() float64 { return g.now() }

func (g *Gauge) about() (kind, name, help string) { return metricGauge, g.Name, g.Help }

func (g *Gauge) now() float64 {
	if g.Func != nil {
		return g.Func()
	}
	return math.Float64frombits(g.bits.Load())
}

// Metrics has figures shown: in the worker's row of status as JSON, and in
// /metrics with the labels program and slot, a gauge with pid as well. A counter
// there goes on from where the slot's earlier workers have ended. To add one
// again changes nothing. After an error none of the list is shown.
func (w *Worker) Metrics(list ...Metric) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.metrics
	for _, m := range list {
		if slices.Contains(all, m) {
			continue
		}
		kind, name, help := m.about()
		if err := checkMetric(kind, name, help); err != nil {
			return fmt.Errorf("metric %s: %w", logs.Printable(name, maxMetricName), err)
		}
		if slices.ContainsFunc(all, func(other Metric) bool { _, n, _ := other.about(); return n == name }) {
			return fmt.Errorf("metric %s: another has this name; share one, or give each a name of its own", name)
		}
		if len(all) == maxMetrics {
			return fmt.Errorf("metric %s: the worker has %d already, no more are possible", name, maxMetrics)
		}
		all = append(slices.Clip(all), m)
	}
	w.metrics = all
	return nil
}

// checkMetric says what is wrong with a figure's name or help.
func checkMetric(kind, name, help string) error {
	switch {
	case kind != metricCounter && kind != metricGauge:
		return fmt.Errorf("it is neither a counter nor a gauge")
	case !isMetricName(name):
		return fmt.Errorf("the name is not one of letters, digits and _ that begins with a letter")
	case len(name) > maxMetricName:
		return fmt.Errorf("the name has %d bytes, at most %d are possible", len(name), maxMetricName)
	case strings.HasPrefix(name, reservedPrefix):
		return fmt.Errorf("names with %s are the supervisor's", reservedPrefix)
	case kind == metricCounter && !strings.HasSuffix(name, "_total"):
		return fmt.Errorf("a counter's name ends in _total")
	case kind == metricGauge && strings.HasSuffix(name, "_total"):
		return fmt.Errorf("a gauge's name does not end in _total: that is for counters")
	case help == "":
		return fmt.Errorf("it has no help; write a line that says what it is")
	case len(help) > maxMetricHelp || help != logs.Printable(help, maxMetricHelp):
		return fmt.Errorf("its help is not one line of at most %d bytes", maxMetricHelp)
	}
	return nil
}

// isMetricName reports whether Prometheus takes a name, without its colons.
func isMetricName(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', i > 0 && c == '_', i > 0 && c >= '0' && c <= '9':
		default:
			return false
		}
	}
	return s != ""
}

// metricValue is a figure as a worker tells it.
type metricValue struct {
	Kind  string  `json:"kind"`
	Name  string  `json:"name"`
	Help  string  `json:"help"`
	Value float64 `json:"value"`
}

// metricValues are the worker's figures now; what is no number is not known.
func (w *Worker) metricValues() (values []metricValue) {
	w.mu.Lock()
	all := w.metrics
	w.mu.Unlock()
	for _, m := range all {
		v := m.now()
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		kind, name, help := m.about()
		values = append(values, metricValue{kind, name, help, v})
	}
	return values
}
