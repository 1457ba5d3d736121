package supervise

import (
	"runtime"
	"testing"

	"github.com/jay-go/jay/internal/sys"
)

// TestSocketsTakenBeforeTheProgramFollows: a program that has begun with its
// sockets, and does not yet follow them, keeps them open until all its loops do.
func TestSocketsTakenBeforeTheProgramFollows(t *testing.T) {
	r, other, err := sys.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer sys.Close(other)
	w := &Worker{cell: newBoard(1).cell(0, "a"), ids: []int{7}, sockets: []Socket{{h: newHandle(r)}}}
	var reports []*Report
	for range 2 {
		report, err := w.Report(Loop{})
		if err != nil {
			t.Fatal(err)
		}
		reports = append(reports, report)
	}
	begun := w.Sockets()
	if err := w.setSockets(nil, nil); err != nil {
		t.Fatal(err)
	}
	if fd := begun[0].FD(); fd != r {
		t.Errorf("descriptor %d is %d before the program follows", r, fd)
	}
	told := make(chan int)
	for _, report := range reports {
		report.OnSockets(func() { told <- begun[0].FD() })
	}
	if err := w.Ready(); err != nil {
		t.Fatal(err)
	}
	for range reports {
		if fd := <-told; fd != r {
			t.Errorf("descriptor %d is %d while the program follows", r, fd)
		}
	}
	for begun[0].h.fd() == r { // it is closed when the function has returned
		runtime.Gosched()
	}
}
