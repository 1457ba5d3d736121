package supervise

import (
	"math"
	"sync/atomic"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/jay-go/jay/internal/fleet"
	"github.com/jay-go/jay/internal/sys"
)

// TestBoardIsReadByAllAndWrittenByOne: a worker writes its own cell; the rest of
// the board it cannot write, not even by accident, and its lies about itself
// do not break those who believe them.
func TestBoardIsReadByAllAndWrittenByOne(t *testing.T) {
	fd, err := sys.Memfd("board")
	if err != nil {
		t.Fatal(err)
	}
	defer sys.Close(fd)
	master, err := openBoard(fd)
	if err != nil {
		t.Fatal(err)
	}
	var cells []*cell
	for n, program := range []string{"a", "a", "b", "a"} {
		master.assign(n, program)
		own, err := sys.DupFD(fd)
		if err != nil {
			t.Fatal(err)
		}
		b, err := openCell(own, n)
		if err != nil {
			t.Fatal(err)
		}
		c := b.cell(n, program)
		c.setReady(true)
		c.setLoops(1)
		c.setLoad(0, int64(10*(n+1)))
		c.beat(0)
		cells = append(cells, c)
	}
	if total, workers := cells[0].peers(); total != 10+20+40 || workers != 3 {
		t.Errorf("the peers of a have %d connections in %d workers, want 70 in 3", total, workers)
	}
	if n := master.beat(3, 0); n != 1 {
		t.Errorf("the master sees %d beats, want 1", n)
	}
	// The kernel says whether it may write there: a store that faults cannot be
	// recovered from where the race detector makes it.
	zeros, err := sys.Memfd("zeros")
	if err != nil {
		t.Fatal(err)
	}
	defer sys.Close(zeros)
	if err := sys.SizeMemfd(zeros, 8); err != nil {
		t.Fatal(err)
	}
	writes := func(word *atomic.Int64) bool {
		n, _, errno := unix.Syscall6(unix.SYS_PREAD64, uintptr(zeros), uintptr(unsafe.Pointer(word)), 8, 0, 0, 0)
		if errno != 0 && errno != unix.EFAULT {
			t.Fatal(errno)
		}
		return n == 8
	}
	mad := cells[1].b
	for name, word := range map[string]*atomic.Int64{
		"another cell":             mad.words(0, cellLoad),
		"another cell, not in use": mad.words(fleet.MaxProcesses-1, cellLoad),
		"the directory":            mad.directory(2),
		"the number of cells":      mad.directory(0),
	} {
		if writes(word) {
			t.Errorf("a worker can write %s", name)
		}
	}
	if !writes(mad.words(1, cellLoad)) {
		t.Error("a worker cannot write its own cell")
	}
	if err := sys.SizeMemfd(fd, 1); err == nil {
		t.Error("the board can be cut short below those who have mapped it")
	}
	for _, lie := range []int64{math.MinInt64, -1, math.MaxInt64} {
		cells[1].word(cellLoad).Store(lie)
		if total, workers := cells[0].peers(); total < 50 || total > 50+maxLoad || workers != 3 {
			t.Errorf("with a load of %d the peers of a have %d connections in %d workers", lie, total, workers)
		}
	}
	cells[1].setLoad(0, 20)
	for _, lie := range []int64{math.MinInt64, 0, math.MaxInt64} {
		cells[1].word(cellLoops).Store(lie)
		if total, loops := cells[0].peers(); total != 10+20+40 && total != 10+40 || loops > 3 {
			t.Errorf("with %d loops of one the peers of a have %d connections in %d loops", lie, total, loops)
		}
	}
	cells[1].setLoops(3)
	cells[1].setLoad(2, 5)
	if total, loops := cells[0].peers(); total != 10+20+5+40 || loops != 4 {
		t.Errorf("with two loops of one the peers of a have %d connections in %d loops, want 75 in 4", total, loops)
	}
	cells[1].endLoop(2)
	cells[1].word(cellReady).Store(7)
	if _, workers := cells[0].peers(); workers != 2 {
		t.Errorf("%d workers are ready, want 2", workers)
	}
	master.clear(3)
	if total, workers := cells[0].peers(); total != 10 || workers != 1 {
		t.Errorf("after an exit there are %d connections in %d workers, want 10 in 1", total, workers)
	}
}
