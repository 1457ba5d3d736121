package supervise_test

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/jay-go/jay/supervise"
)

// TestMetricsRefused: what is wrong with a figure is said when it is added, and
// then nothing of the list is.
func TestMetricsRefused(t *testing.T) {
	long := strings.Repeat("x", 201)
	for name, tt := range map[string]struct {
		metric supervise.Metric
		want   string
	}{
		"no name":             {&supervise.Gauge{Help: "Players."}, "not one of letters"},
		"a digit first":       {&supervise.Gauge{Name: "1up", Help: "Players."}, "not one of letters"},
		"a hyphen":            {&supervise.Gauge{Name: "play-ers", Help: "Players."}, "not one of letters"},
		"not ASCII":           {&supervise.Gauge{Name: "größe", Help: "Players."}, "not one of letters"},
		"a long name":         {&supervise.Gauge{Name: long, Help: "Players."}, "at most 100 are possible"},
		"ours":                {&supervise.Gauge{Name: "jay_players", Help: "Players."}, "names with jay_ are the supervisor's"},
		"no help":             {&supervise.Gauge{Name: "players"}, "it has no help"},
		"a long help":         {&supervise.Gauge{Name: "players", Help: long}, "one line of at most 200 bytes"},
		"two lines of help":   {&supervise.Gauge{Name: "players", Help: "Play\ners."}, "one line"},
		"a counter, no total": {&supervise.Counter{Name: "hits", Help: "Hits."}, "a counter's name ends in _total"},
		"a gauge with total":  {&supervise.Gauge{Name: "hits_total", Help: "Hits."}, "a gauge's name does not end in _total"},
		"a name that is used": {&supervise.Counter{Name: "used_total", Help: "Another."}, "another has this name"},
	} {
		t.Run(name, func(t *testing.T) {
			var w supervise.Worker
			used := &supervise.Counter{Name: "used_total", Help: "Used."}
			if err := w.Metrics(used, used); err != nil {
				t.Fatal(err)
			}
			fine := &supervise.Counter{Name: "fine_total", Help: "Fine."}
			if err := w.Metrics(fine, tt.metric); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("Metrics: %v, want %q", err, tt.want)
			}
			if err := w.Metrics(&supervise.Counter{Name: "fine_total", Help: "Nothing was added."}); err != nil {
				t.Errorf("after the error: %v", err)
			}
		})
	}
}

func TestMetricsAreBounded(t *testing.T) {
	var w supervise.Worker
	for i := range 256 {
		if err := w.Metrics(&supervise.Gauge{Name: fmt.Sprint("g", i), Help: "G."}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Metrics(&supervise.Gauge{Name: "more", Help: "More."}); err == nil || !strings.Contains(err.Error(), "has 256 already") {
		t.Errorf("the 257th: %v", err)
	}
}

// TestMetricsFromGoroutines: nothing is lost, whoever counts.
func TestMetricsFromGoroutines(t *testing.T) {
	var c supervise.Counter
	var g supervise.Gauge
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				c.Inc()
				c.Add(2)
				g.Add(1.5)
				g.Add(-0.5)
			}
		})
	}
	wg.Wait()
	if c.Value() != 24000 || g.Value() != 8000 {
		t.Errorf("the counter is %d, the gauge %v; want 24000 and 8000", c.Value(), g.Value())
	}
	if g.Set(-1); g.Value() != -1 {
		t.Errorf("the gauge is %v after it was set to -1", g.Value())
	}
	g.Func = func() float64 { return math.Pi }
	if g.Value() != math.Pi {
		t.Errorf("the gauge is %v, its func says Pi", g.Value())
	}
}
