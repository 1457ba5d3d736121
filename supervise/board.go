package supervise

import "sync/atomic"

// The board is memory that the workers and the master share: one cell per
// worker process, assigned by the master. A cell is written by its worker and
// cleared by the master when the worker has been reaped; everybody reads.
type board struct {
	words func(i int) *atomic.Int64
}

const (
	boardCells = 2 * maxWorkers * maxGenerations // room for what drains
	cellWords  = 8                               // a cache line
	boardWords = (boardCells + 1) * cellWords    // word 0 is the number of cells in use

	cellProgram = 0 // programKey
	cellReady   = 1
	cellLoad    = 2
	cellBeat    = 3 // changes with each turn of the worker's loop; 0: it has none
)

// newBoard is a board that no other process sees.
func newBoard() *board {
	mem := make([]atomic.Int64, boardWords)
	return &board{words: func(i int) *atomic.Int64 { return &mem[i] }}
}

// cell is one worker's view of the board.
type cell struct {
	b   *board
	n   int
	key int64
}

// cell takes cell n for a worker of the program.
func (b *board) cell(n int, program string) *cell {
	c := &cell{b: b, n: n, key: programKey(program)}
	c.word(cellReady).Store(0)
	c.word(cellLoad).Store(0)
	c.word(cellBeat).Store(0)
	c.word(cellProgram).Store(c.key)
	for used := b.words(0); ; {
		have := used.Load()
		if have > int64(n) || used.CompareAndSwap(have, int64(n)+1) {
			return c
		}
	}
}

// clear forgets the worker of cell n.
func (b *board) clear(n int) {
	for i := range cellWords {
		b.words((n+1)*cellWords + i).Store(0)
	}
}

func (c *cell) word(i int) *atomic.Int64 { return c.b.words((c.n+1)*cellWords + i) }

func (c *cell) setLoad(n int64) { c.word(cellLoad).Store(n) }

// beat counts one sign of life.
func (c *cell) beat() { c.word(cellBeat).Add(1) }

// beat is the number of signs of life of the worker of cell n.
func (b *board) beat(n int) int64 { return (&cell{b: b, n: n}).word(cellBeat).Load() }

func (c *cell) setReady(ready bool) {
	var v int64
	if ready {
		v = 1
	}
	c.word(cellReady).Store(v)
}

// peers sums the loads of the ready workers of the cell's program and counts them.
func (c *cell) peers() (total, workers int) {
	n := int(c.b.words(0).Load())
	for i := range min(n, boardCells) {
		peer := cell{b: c.b, n: i}
		if peer.word(cellProgram).Load() == c.key && peer.word(cellReady).Load() == 1 {
			total += int(peer.word(cellLoad).Load())
			workers++
		}
	}
	return total, workers
}

// programKey is FNV-1a of the name; zero stays free for "nobody".
func programKey(name string) int64 {
	h := uint64(14695981039346656037)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	return int64(h | 1)
}
