package supervise

import (
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/internal/bytejson"
)

// newTestWorker is a worker whose messages go to said.
func newTestWorker(said *[]message) *Worker {
	w := &Worker{role: workerRole{Program: "a"}, logger: slog.New(slog.DiscardHandler), cell: newBoard(1).cell(0, "a")}
	w.cell.b.assign(0, "a")
	w.master = uplinkFunc(func(m message) error {
		if _, err := m.encode(maxPacket); err != nil {
			return err
		}
		*said = append(*said, m)
		return nil
	})
	return w
}

func mustReport(t *testing.T, w *Worker, l Loop) *Report {
	t.Helper()
	r, err := w.Report(l)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestReportSums: the figures of a worker are those of its loops, sums where they
// add up, and what a loop has counted stays when it ends.
func TestReportSums(t *testing.T) {
	w := newTestWorker(new([]message))
	one := mustReport(t, w, Loop{Name: "one", Stats: func() control.Stats {
		return control.Stats{Connections: new(int64(3)), Requests: new(int64(10)), LoopSaturation: new(0.25), BusySeconds: new(2.0), BusyIn: new("f")}
	}})
	if _, loops := w.figures(); loops != nil {
		t.Errorf("a single loop has a row of its own: %v", loops)
	}
	mustReport(t, w, Loop{Stats: func() control.Stats {
		return control.Stats{Connections: new(int64(4)), Requests: new(int64(5)), Panics: new(int64(1)), LoopSaturation: new(0.5), BusySeconds: new(0.0), BusyIn: new("")}
	}})
	sum, loops := w.figures()
	want := control.Stats{Connections: new(int64(7)), Requests: new(int64(15)), Panics: new(int64(1)), LoopSaturation: new(0.5), BusySeconds: new(2.0), BusyIn: new("f")}
	if !reflect.DeepEqual(sum, want) {
		t.Errorf("the sums are %s, want %s", encoded(t, sum), encoded(t, want))
	}
	if len(loops) != 2 || loops[0].Name != "one" || loops[1].Name != "1" || *loops[1].Requests != 5 {
		t.Errorf("the loops are %s", encoded(t, loops))
	}
	one.End()
	one.End() // nothing new
	if sum, _ := w.figures(); *sum.Requests != 15 || *sum.Connections != 4 {
		t.Errorf("after the end of a loop: %s; want 15 requests and 4 connections", encoded(t, sum))
	}
}

func encoded(t *testing.T, v any) string {
	t.Helper()
	b, err := bytejson.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestReportRefuses what is too much, and names that are taken.
func TestReportRefuses(t *testing.T) {
	w := newTestWorker(new([]message))
	mustReport(t, w, Loop{Name: "world"})
	if _, err := w.Report(Loop{Name: "world"}); err == nil || !strings.Contains(err.Error(), `another is called "world"`) {
		t.Errorf("a name that is taken: %v", err)
	}
	var last *Report
	for range maxLoops - 1 {
		last = mustReport(t, w, Loop{})
	}
	if _, err := w.Report(Loop{}); err == nil || !strings.Contains(err.Error(), "there are 64 already") {
		t.Errorf("the loop behind the last: %v", err)
	}
	last.End()
	mustReport(t, w, Loop{})
}

// TestReportParts: however many loops there are, what the worker says of them
// fits its messages, and arrives whole.
func TestReportParts(t *testing.T) {
	for _, n := range []int{1, 2, loopsInMessage, loopsInMessage + 1, maxLoops} {
		var said []message
		w := newTestWorker(&said)
		for range n {
			mustReport(t, w, Loop{Stats: func() control.Stats {
				return control.Stats{Requests: new(int64(1)), BusyIn: new(strings.Repeat("x", 2000))}
			}})
		}
		w.answerStats(7)
		p := &proc{}
		for i, m := range said {
			if m.More != (i < len(said)-1) {
				t.Errorf("%d loops: part %d of %d says that there is more: %v", n, i, len(said), m.More)
			}
			p.gather(m)
		}
		if len(said) == 0 || *said[0].Stats.Requests != int64(n) || len(p.loops) != n && n > 1 {
			t.Errorf("%d loops: %d messages, %d loops have arrived", n, len(said), len(p.loops))
		}
	}
}

// TestReportHung: the loop that hangs is named, and the worker goes on when none
// does any more.
func TestReportHung(t *testing.T) {
	var said []message
	w := newTestWorker(&said)
	w.dumped.Store(time.Now().Add(time.Hour).UnixNano()) // its goroutines are of no interest here
	a, b := mustReport(t, w, Loop{Name: "a"}), mustReport(t, w, Loop{Name: "b"})
	for _, do := range []func(){func() { a.Hung("f") }, func() { b.Hung("g") }, a.Recovered, a.Recovered, b.Recovered, func() { b.Hung("h") }, b.End} {
		do()
	}
	var got []string
	for _, m := range said {
		got = append(got, strings.TrimSpace(fmt.Sprint(m.Kind, " ", m.Why)))
	}
	if want := "hung loop a: f, recovered, hung loop b: h, recovered"; strings.Join(got, ", ") != want {
		t.Errorf("the master was told %q, want %q", strings.Join(got, ", "), want)
	}
}

// TestReportDrains: a drain that overtakes another reaches every loop, also one
// that begins later, and sockets end when the last loop has let go of them.
func TestReportDrains(t *testing.T) {
	told := make(chan message, 8)
	w := newTestWorker(new([]message))
	w.master = uplinkFunc(func(m message) error { told <- m; return nil })
	a, b := mustReport(t, w, Loop{}), mustReport(t, w, Loop{})
	a.OnSockets(func() {})
	b.OnSockets(func() {})
	for range 5 { // nobody looks, and nobody waits
		w.overtake(&Drain{Reason: DrainScale})
	}
	w.overtake(&Drain{Reason: DrainStop})
	for name, r := range map[string]*Report{"the first": a, "the second": b, "one that came later": mustReport(t, w, Loop{})} {
		var last *Drain
		for len(r.Overtaken()) > 0 {
			last = <-r.Overtaken()
		}
		if last == nil || last.Reason != DrainStop {
			t.Errorf("%s was told %v last", name, last)
		}
	}
	a.Unlisten()
	select {
	case m := <-told:
		t.Errorf("%s, and a loop still accepts", m.Kind)
	default:
	}
	b.Unlisten()
	if m := <-told; m.Kind != msgUnlistened {
		t.Errorf("the master was told %s", m.Kind)
	}
}

// TestReportConnections: a page of the worker's connections is one of all loops.
func TestReportConnections(t *testing.T) {
	w := newTestWorker(new([]message))
	for first := range uint64(3) {
		mustReport(t, w, Loop{Connections: func(q ConnectionQuery) (rows []control.ConnectionInfo) {
			for id := first; id < 12 && len(rows) < q.Limit; id += 3 {
				if id > q.After {
					rows = append(rows, control.ConnectionInfo{ID: id})
				}
			}
			return rows
		}})
	}
	var got []string
	for after := uint64(0); ; {
		page, _ := w.page(ConnectionQuery{After: after, Limit: 4})
		if len(page) == 0 {
			break
		}
		for _, c := range page {
			got = append(got, fmt.Sprintf("%d:%s", c.ID, c.Loop))
		}
		after = page[len(page)-1].ID
	}
	if want := "1:1 2:2 3:0 4:1 5:2 6:0 7:1 8:2 9:0 10:1 11:2"; strings.Join(got, " ") != want {
		t.Errorf("the pages are %v, want %s", got, want)
	}
}
