package supervise

import (
	"testing"
	"time"

	"github.com/jay-go/jay/internal/fleet"
)

func TestServed(t *testing.T) {
	spec := &fleet.Spec{MaxRequests: 1000, MaxAge: time.Hour, MaxRSS: 100 << 20}
	for _, tt := range []struct {
		name     string
		spec     *fleet.Spec
		requests int64
		rss      int64
		age      time.Duration
		early    float64
		want     string
	}{
		{"nothing", spec, 999, 100<<20 - 1, time.Hour - 1, 0, ""},
		{"requests", spec, 1000, 0, 0, 0, "it has served 1000 requests of at most 1000"},
		{"requests, early", spec, 950, 0, 0, 0.5, "it has served 950 requests of at most 1000"},
		{"never a tenth early", spec, 899, 0, 0, 0.99, ""},
		{"age", spec, 0, 0, time.Hour, 0, "it is 1h0m0s old of at most 1h0m0s"},
		{"memory", spec, 0, 100 << 20, 0, 0, "it takes 100.0M of memory of at most 100.0M"},
		{"no limits", &fleet.Spec{}, 1 << 60, 1 << 60, 1 << 60, 1, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := served(tt.spec, tt.requests, tt.rss, tt.age, tt.early); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
