package supervise

import (
	"testing"
	"time"
)

func TestDrainOvertakes(t *testing.T) {
	now := time.Now()
	at := func(d time.Duration) time.Time { return now.Add(d) }
	for _, tt := range []struct {
		name           string
		earlier, later Drain
		want           bool
	}{
		{"repeated", Drain{Reason: DrainReload, Deadline: at(time.Minute)}, Drain{Reason: DrainReload, Deadline: at(time.Minute - 10*time.Millisecond)}, false},
		{"repeated without a deadline", Drain{Reason: DrainReload}, Drain{Reason: DrainReload}, false},
		{"a stop", Drain{Reason: DrainReload, Deadline: at(time.Minute)}, Drain{Reason: DrainStop, Deadline: at(time.Hour)}, true},
		{"a stop, repeated", Drain{Reason: DrainStop, Deadline: at(time.Minute)}, Drain{Reason: DrainStop, Deadline: at(time.Minute)}, false},
		{"a deadline, where there was none", Drain{Reason: DrainReload}, Drain{Reason: DrainReload, Deadline: at(time.Minute)}, true},
		{"a sooner deadline", Drain{Reason: DrainReload, Deadline: at(time.Hour)}, Drain{Reason: DrainReload, Deadline: at(time.Minute)}, true},
		{"a later deadline", Drain{Reason: DrainStop, Deadline: at(time.Minute)}, Drain{Reason: DrainStop, Deadline: at(time.Hour)}, false},
	} {
		if got := tt.later.overtakes(&tt.earlier); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
