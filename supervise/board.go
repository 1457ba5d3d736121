package supervise

import (
	"os"
	"sync/atomic"

	"github.com/jay-go/jay/internal/fleet"
)

// The board is memory that the workers and the master share. Its directory says
// which program each cell is of: the master writes it. A cell is the page of one
// worker process, assigned by the master: that worker can write it, and nothing
// else of the board; everybody reads. So a worker gone mad lies about nobody but
// itself, and what it says is taken with care.
type board struct {
	directory func(i int) *atomic.Int64 // word 0 is the number of cells in use, then programKey of each; 0: nobody
	words     func(cell, i int) *atomic.Int64
}

const (
	directoryWords = 1 + fleet.MaxProcesses
	cellWords      = 2 + 2*maxLoops

	cellReady = 0
	cellLoops = 1 // how many there are room for behind it
	cellLoad  = 2 // and further: connections of each loop, and one more; 0: it is nobody's peer
	cellBeat  = 3 // and further: changes with each turn of the loop; 0: it has none
	loopWords = 2 // from those of one loop to those of the next

	// maxLoad is what a worker is believed. Sums of it do not overflow.
	maxLoad = 1 << 30
)

// cellOffset is where a cell begins in the board's file, in bytes; behind the
// last it is the size of that file.
func cellOffset(n int) int {
	page := os.Getpagesize()
	return ((8*directoryWords+page-1)/page + n) * page
}

// newBoard is a board of n cells that no other process sees.
func newBoard(n int) *board {
	directory := make([]atomic.Int64, 1+n)
	cells := make([]atomic.Int64, n*cellWords)
	return &board{
		directory: func(i int) *atomic.Int64 { return &directory[i] },
		words:     func(cell, i int) *atomic.Int64 { return &cells[cell*cellWords+i] },
	}
}

// assign gives cell n to a worker of the program. It, and clear, are the master's.
func (b *board) assign(n int, program string) {
	b.clear(n)
	b.directory(1 + n).Store(programKey(program))
	if used := b.directory(0); used.Load() <= int64(n) {
		used.Store(int64(n) + 1)
	}
}

// clear forgets the worker of cell n.
func (b *board) clear(n int) {
	b.directory(1 + n).Store(0)
	for i := range cellWords {
		b.words(n, i).Store(0)
	}
}

// loops is how many loops the worker of cell n has at most, as it says.
func (b *board) loops(n int) int { return int(min(max(b.words(n, cellLoops).Load(), 0), maxLoops)) }

// beat is the number of signs of life of a loop of the worker of cell n.
func (b *board) beat(n, loop int) int64 { return b.words(n, cellBeat+loop*loopWords).Load() }

// cell is one worker's view of the board.
type cell struct {
	b   *board
	n   int
	key int64
}

// cell is the view of the worker that cell n was assigned to.
func (b *board) cell(n int, program string) *cell { return &cell{b: b, n: n, key: programKey(program)} }

func (c *cell) word(i int) *atomic.Int64 { return c.b.words(c.n, i) }

func (c *cell) setLoops(n int) { c.word(cellLoops).Store(int64(n)) }

func (c *cell) setLoad(loop int, n int64) { c.word(cellLoad + loop*loopWords).Store(max(n, 0) + 1) }

// beat counts one sign of life of a loop.
func (c *cell) beat(loop int) { c.word(cellBeat + loop*loopWords).Add(1) }

// endLoop forgets a loop.
func (c *cell) endLoop(loop int) {
	c.word(cellLoad + loop*loopWords).Store(0)
	c.word(cellBeat + loop*loopWords).Store(0)
}

func (c *cell) setReady(ready bool) {
	var v int64
	if ready {
		v = 1
	}
	c.word(cellReady).Store(v)
}

// peers sums the loads of the loops of the ready workers of the cell's program
// and counts them.
func (c *cell) peers() (total, loops int) {
	used := c.b.directory(0).Load()
	for n := range int(min(max(used, 0), fleet.MaxProcesses)) {
		if c.b.directory(1+n).Load() != c.key || c.b.words(n, cellReady).Load() != 1 {
			continue
		}
		for i := range c.b.loops(n) {
			if load := c.b.words(n, cellLoad+i*loopWords).Load(); load != 0 {
				total += int(min(max(load, 1)-1, maxLoad))
				loops++
			}
		}
	}
	return total, loops
}

// programKey is FNV-1a of the name; zero stays free for "nobody".
func programKey(name string) int64 {
	h := uint64(14695981039346656037)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	return int64(h | 1)
}
