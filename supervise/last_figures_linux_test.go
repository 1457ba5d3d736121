package supervise

import (
	"testing"

	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/internal/fleet"
)

// TestLastFigures: what a worker has counted comes last, and is not lost where the
// master has had no time to read it when it hears that the worker has ended, nor
// where it is about to execute another file.
func TestLastFigures(t *testing.T) {
	for name, heard := range map[string]func(m *master, p *proc){
		"in the kernel": func(m *master, p *proc) { m.hearOut(p) },
		"read, and not handled": func(m *master, p *proc) {
			m.listenTo(p.w.ID, p)
			<-p.reading
			m.hearOut(p)
		},
		"before an exec": func(m *master, p *proc) {
			m.listenTo(p.w.ID, p)
			<-p.reading
			m.collect(p.reading)
			m.keepNews()
		},
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := packetConns(t)
			p := &proc{w: &fleet.Worker{ID: 7}, ctl: ours, reading: make(chan struct{})}
			close(p.reading) // nobody does yet
			m := &master{procs: map[uint32]*proc{7: p}, events: make(chan any, 9), figures: map[string]control.Stats{}, machine: &fleet.Machine{}}
			if err := ours.Send([]byte("the worker reads this no more")); err != nil {
				t.Fatal(err)
			}
			requests := int64(41)
			for range 2 {
				b, err := message{Kind: msgStats, Stats: &control.Stats{Requests: &requests}}.encode(maxPacket)
				if err != nil {
					t.Fatal(err)
				}
				if err := theirs.Send(b); err != nil {
					t.Fatal(err)
				}
				requests++
			}
			theirs.Close()
			heard(m, p)
			if p.stats.Requests == nil || *p.stats.Requests != 42 {
				t.Errorf("the master knows %+v, want 42 requests", p.stats)
			}
		})
	}
}
