package logs

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// disk is where a Queue writes: it has room for so many bytes.
type disk struct {
	mu    sync.Mutex
	room  int
	stuck chan struct{} // not nil: writes wait for it
	b     bytes.Buffer
}

func (d *disk) Write(b []byte) (int, error) {
	d.mu.Lock()
	stuck := d.stuck
	d.mu.Unlock()
	if stuck != nil {
		<-stuck
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n := min(len(b), d.room)
	d.room -= n
	d.b.Write(b[:n])
	if n < len(b) {
		return n, errors.New("no space")
	}
	return n, nil
}

func (d *disk) give(room int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.room += room
}

func (d *disk) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.b.String()
}

func plainNote(lost int64) []byte { return fmt.Appendf(nil, "%d lost\n", lost) }

// TestFullAndBack: what does not fit is counted, a line that was begun is
// finished, and the log tells of the others as soon as it can, unasked.
func TestFullAndBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{room: 6}
		q := NewQueue(d.Write, nil, plainNote)
		for i := range 4 {
			fmt.Fprintf(q, "%d%d%d\n", i, i, i)
		}
		synctest.Wait()
		if got := d.String(); got != "000\n11" {
			t.Errorf("the full disk has %q", got)
		}
		if n, why := q.Counted(); n != 2 || why != "no space" {
			t.Errorf("%d dropped, because of %q; want 2, no space", n, why)
		}
		d.give(1000)
		time.Sleep(retryLines)
		synctest.Wait()
		if got := d.String(); got != "000\n111\n2 lost\n" {
			t.Errorf("with space again the disk has %q", got)
		}
		fmt.Fprint(q, "444\n")
		await(time.Second, q.Close())
		if got := d.String(); got != "000\n111\n2 lost\n444\n" {
			t.Errorf("afterwards the disk has %q", got)
		}
		if n, why := q.Counted(); n != 2 || why != "" {
			t.Errorf("%d dropped, %q; want 2 since the start, and nothing wrong", n, why)
		}
	})
}

// TestStuck: nobody waits for a log that takes nothing, and the memory for it
// has a limit. close and flush give up.
func TestStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{room: 1 << 30, stuck: make(chan struct{})}
		q := NewQueue(d.Write, nil, plainNote)
		line := []byte(strings.Repeat("x", 1023) + "\n")
		const lines = 10_000
		q.Write(line)
		synctest.Wait() // it is being written: from now on nothing leaves the queue
		for range lines - 1 {
			q.Write(line)
		}
		begin := time.Now()
		q.Flush(time.Second)
		if took := time.Since(begin); took < time.Second || took > 2*time.Second {
			t.Errorf("flush gave up after %v, want 1s", took)
		}
		dropped, _ := q.Counted()
		if waiting := lines - dropped - 1; waiting*1024 > maxQueued || waiting*1024 < maxQueued/2 {
			t.Errorf("%d lines wait, %d are dropped, one is being written, of %d", waiting, dropped, lines)
		}
		if all, untold := q.Abandon(); all != lines || untold != lines {
			t.Errorf("without this queue %d lines are lost, %d untold; want all %d", all, untold, lines)
		}
		await(time.Second, q.Close())
		close(d.stuck)
		<-q.done
		got := d.String()
		if n := strings.Count(got, string(line)); int64(n)+dropped != lines || !strings.HasSuffix(got, fmt.Sprintf("%d lost\n", dropped)) {
			t.Errorf("%d lines are written, %d dropped, of %d; the last is %q", n, dropped, lines, got[len(got)-20:])
		}
	})
}

// TestAtOnce: a line is written before Write returns where that needs no
// waiting, and in order where it does.
func TestAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{room: 6}
		now := func(b []byte) (int, error) {
			n, _ := d.Write(b) // a pipe that is full is no error
			return n, nil
		}
		full := make(chan struct{})
		put := func(b []byte) (int, error) {
			<-full
			d.give(len(b))
			return d.Write(b)
		}
		q := NewQueue(put, now, plainNote)
		fmt.Fprint(q, "000\n")
		if got := d.String(); got != "000\n" {
			t.Errorf("when Write returned there was %q", got)
		}
		fmt.Fprint(q, "111\n")
		d.give(100) // the third one would fit; it has to wait for the second
		fmt.Fprint(q, "222\n")
		synctest.Wait()
		if got := d.String(); got != "000\n11" {
			t.Errorf("while the pipe is full there is %q", got)
		}
		close(full)
		q.Flush(time.Second)
		fmt.Fprint(q, "333\n")
		if got := d.String(); got != "000\n111\n222\n333\n" {
			t.Errorf("in the end there is %q", got)
		}
		await(time.Second, q.Close())
	})
}
