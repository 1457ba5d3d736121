package supervise

import (
	"maps"

	"github.com/jay-go/jay/control"
)

// totals are what workers of a program have counted that have ended: figures of
// the package, and by slot those that the program has added.
type totals struct {
	Stats   control.Stats              `json:"stats"`
	Metrics map[int]map[string]counted `json:"metrics,omitempty"`
}

// counted is what a counter has come to.
type counted struct {
	Help  string  `json:"help"`
	Value float64 `json:"value"`
}

// maxCounters is how many counters of a program one slot remembers: code that is
// replaced may take other names each time.
const maxCounters = 4 * maxMetrics

// add has what one worker has counted.
func (t *totals) add(slot int, s control.Stats, metrics []metricValue) {
	t.Stats = sumOf(t.Stats, countersOf(s))
	for _, v := range metrics {
		if v.Kind != metricCounter {
			continue
		}
		if t.Metrics == nil {
			t.Metrics = map[int]map[string]counted{}
		}
		if t.Metrics[slot] == nil {
			t.Metrics[slot] = map[string]counted{}
		}
		old, there := t.Metrics[slot][v.Name]
		if there || len(t.Metrics[slot]) < maxCounters {
			t.Metrics[slot][v.Name] = counted{v.Help, old.Value + v.Value}
		}
	}
}

// clone is a copy that may be added to.
func (t *totals) clone() *totals {
	if t == nil {
		return &totals{}
	}
	c := &totals{Stats: t.Stats}
	for slot, metrics := range t.Metrics {
		if c.Metrics == nil {
			c.Metrics = map[int]map[string]counted{}
		}
		c.Metrics[slot] = maps.Clone(metrics)
	}
	return c
}

// sums are the counters over all slots.
func (t *totals) sums() map[string]float64 {
	var sums map[string]float64
	for _, metrics := range t.Metrics {
		for name, c := range metrics {
			if sums == nil {
				sums = map[string]float64{}
			}
			sums[name] += c.Value
		}
	}
	return sums
}
