package jay_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/internal/sys"
)

// TestQueues: queues that share bytes, have their own, are sent in pieces and
// are dropped hold what was queued to each, in order; once all of it has gone
// none of them has a chunk that another could be given.
func TestQueues(t *testing.T) {
	for seed := range uint64(200) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			q := &queues{rand: rand.New(rand.NewPCG(seed, 0)), all: make([]jay.Queue, 6), want: make([][]byte, 6)}
			q.broadcast()
			for range 400 {
				q.step()
				for i := range q.all {
					q.check(t, i)
				}
				if t.Failed() {
					return
				}
			}
			for i := range q.all {
				q.all[i].Advance(&q.pool, len(q.want[i]))
				q.want[i] = nil
				q.check(t, i)
			}
			if n := q.pool.Shared(); n > 0 {
				t.Errorf("%d chunks of shared bytes are left", n)
			}
			if n := q.pool.Held(); n != 0 {
				t.Errorf("%d bytes still count as held", n)
			}
		})
	}
}

// queues are those of several connections, with what should be in them.
type queues struct {
	rand  *rand.Rand
	pool  jay.ChunkPool
	all   []jay.Queue
	want  [][]byte
	block []byte // of frames that lie one behind the other
	last  []byte // the last of them
	turn  byte
}

// bytes returns some that are not those of the last call.
func (q *queues) bytes() []byte {
	q.turn++
	return bytes.Repeat([]byte{q.turn}, 1+q.rand.IntN(40))
}

func (q *queues) step() {
	i := q.rand.IntN(len(q.all))
	one := &q.all[i]
	switch q.rand.IntN(9) {
	case 0:
		b := q.bytes()
		one.Push(&q.pool, b)
		q.want[i] = append(q.want[i], b...)
	case 1:
		b := append(one.Free(&q.pool), q.bytes()...)
		one.Push(&q.pool, b)
		q.want[i] = append(q.want[i], b...)
	case 2:
		n := q.rand.IntN(len(q.want[i]) + 1)
		one.Advance(&q.pool, n)
		q.want[i] = q.want[i][n:]
	case 3, 4: // as after a turn in which nobody was slow
		for i := range q.all {
			q.all[i].Advance(&q.pool, len(q.want[i]))
			q.want[i] = nil
		}
	case 5:
		if q.rand.IntN(10) == 0 {
			one.Drop(&q.pool)
			q.want[i] = nil
		}
	case 6: // once more, to one
		one.Share(&q.pool, q.last)
		q.want[i] = append(q.want[i], q.last...)
	default:
		q.broadcast()
	}
}

// broadcast shares a frame, which most queues get, behind the last one.
func (q *queues) broadcast() {
	b := q.bytes()
	if cap(q.block)-len(q.block) < len(b) {
		q.block = make([]byte, 0, 300)
	}
	start := len(q.block)
	q.block = append(q.block, b...)
	q.last = q.block[start:]
	for i := range q.all {
		if q.rand.IntN(4) > 0 {
			q.all[i].Share(&q.pool, q.last)
			q.want[i] = append(q.want[i], b...)
		}
	}
}

func (q *queues) check(t *testing.T, i int) {
	t.Helper()
	one := &q.all[i]
	if one.Size() != len(q.want[i]) {
		t.Errorf("queue %d has %d bytes, want %d", i, one.Size(), len(q.want[i]))
	}
	pieces := one.Gather(nil)
	got, want := slices.Concat(pieces...), q.want[i]
	if len(pieces) == sys.MaxIovecs { // there may be more
		want = want[:min(len(got), len(want))]
	}
	if !bytes.Equal(got, want) {
		t.Errorf("queue %d holds %v, want %v", i, got, want)
	}
}
