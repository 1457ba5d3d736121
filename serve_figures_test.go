package jay_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/supervise"
)

// TestWorkerMetricsAlone: without a master a wrong figure is refused as well, and
// health has nobody to tell.
func TestWorkerMetricsAlone(t *testing.T) {
	s := &jay.Server{Addr: "tcp://127.0.0.1:0", Protocol: every(echo{}), Loops: 1, OnWorkerStart: func(w *jay.Worker) error {
		w.Health("database", errors.New("connection refused"))
		w.Health("database", nil)
		if err := w.Metrics(&supervise.Counter{Name: "fine_total", Help: "Fine."}); err != nil {
			t.Error(err)
		}
		return w.Metrics(&supervise.Gauge{Name: "wrong name", Help: "Wrong."})
	}}
	if err := s.Serve(t.Context()); err == nil || !strings.Contains(err.Error(), "metric wrong name: the name is not one of letters") {
		t.Errorf("Serve: %v", err)
	}
}
