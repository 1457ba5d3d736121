package jay

import (
	"errors"
	"fmt"
	"math"
	"os"

	"github.com/jay-go/jay/internal/loop"
	"github.com/jay-go/jay/internal/poison"
)

// behind is the part of a connection's unsent output that begins with a range of a
// file: few connections have one, so the worker keeps it beside them. What its
// bytes take counts in the connection's queue, out.size.
type behind struct {
	pieces []piece // never empty
	files  int     // of them, the others are bytes
	old    int     // how many of them were written before the present layer was set
	bytes  int     // in memory
	left   int64   // of files
	broken bool    // the layer did not return
}

// piece is a range of a file, or bytes: as written, for the layer makes of each
// what it does when all before has gone through it.
type piece struct {
	f      *os.File // nil: bytes
	off, n int64
	q      queue
	layer  Layer // nil: none
}

// filePiece is how much of a file goes through a layer at once.
const filePiece = 64 << 10

// WriteFile queues n bytes of f from off on, behind all that was written before and
// ahead of what is written later. The file takes no memory while it waits: its bytes
// count neither in Buffered nor against MaxOutput and the high-water mark, but in
// BufferedFiles. The kernel sends it by itself where it can (sendfile), from the loop: see
// [loop.Stream.SendFile] for what a slow disk means. With a layer, the loop reads it in
// pieces of 64 KiB as the peer takes them. WriteTimeout and Close judge the peer as for
// any other output.
//
// From now on the connection owns f, and closes it when nothing of it is left to be
// sent, or cannot be any more; also when WriteFile returns an error. Several ranges of
// one file may be queued together; with 16 that wait the connection is full, whatever
// their size. It must be readable at any offset, and its own offset
// does not move. One that ends before off+n, or cannot be read, resets the connection
// with a [*loop.FileError]: the peer must not take what it has for the whole.
func (c *Conn) WriteFile(f *os.File, off, n int64) error {
	c.mine()
	err := ErrClosed
	if f == nil {
		return fmt.Errorf("write file: %w", os.ErrInvalid)
	}
	if off < 0 || n < 0 || n > math.MaxInt64-off {
		err = fmt.Errorf("write %d bytes of file %s from %d on: there are none", n, f.Name(), off)
	} else if c.writable() {
		err = nil
	}
	if err != nil || n == 0 {
		c.release(f)
		return err
	}
	w := c.worker
	b := w.behind[c]
	if b == nil {
		if w.behind == nil {
			w.behind = map[*Conn]*behind{}
		}
		b = new(behind)
		w.behind[c] = b
		c.flags |= flagFiles
	}
	b.pieces = append(b.pieces, piece{f: f, off: off, n: n, layer: c.encoder()})
	b.left += n
	if b.files++; b.files >= manyFiles && !c.has(flagFull) {
		c.full()
	}
	c.later()
	return nil
}

// manyFiles is how many ranges of files may wait before a connection is full: each may
// keep a file open.
const manyFiles = 16

// BufferedFiles returns how much of files is queued and not yet sent.
func (c *Conn) BufferedFiles() int64 {
	c.mine()
	if !c.has(flagFiles) {
		return 0
	}
	return c.worker.behind[c].left
}

// unsent reports whether output waits.
func (c *Conn) unsent() bool { return c.out.size > 0 || c.has(flagFiles) }

// drained reports whether so little waits that a full connection is so no more.
func (c *Conn) drained() bool {
	return c.out.size <= c.via.lowWater && (!c.has(flagFiles) || c.worker.behind[c].files < manyFiles/2)
}

// release closes a file of which nothing is queued.
func (c *Conn) release(f *os.File) {
	if b := c.worker.behind[c]; b != nil {
		for i := range b.pieces {
			if b.pieces[i].f == f {
				return
			}
		}
	}
	_ = f.Close() // it was only read
}

// putBehind queues p, as written, behind files.
func (c *Conn) putBehind(p []byte) {
	if len(p) > 0 {
		b := c.worker.behind[c]
		last := &b.pieces[len(b.pieces)-1]
		if last.f != nil || b.old == len(b.pieces) {
			b.pieces = append(b.pieces, piece{layer: c.encoder()})
			last = &b.pieces[len(b.pieces)-1]
		}
		c.addBehind(b, last, p)
	}
}

func (c *Conn) addBehind(b *behind, to *piece, p []byte) {
	to.q.push(&c.worker.pool, p)
	b.bytes += len(p)
	c.out.size += len(p)
	c.queued()
}

// pushWire queues what the layer has made by itself: ahead of what it has not seen
// yet, behind what was written before it was set.
func (c *Conn) pushWire(wire []byte) {
	if !c.has(flagFiles) || c.worker.behind[c].old == 0 {
		c.push(wire)
		return
	}
	if len(wire) == 0 {
		return
	}
	b := c.worker.behind[c]
	b.pieces = append(b.pieces, piece{})
	copy(b.pieces[b.old+1:], b.pieces[b.old:])
	b.pieces[b.old] = piece{}
	b.old++
	c.addBehind(b, &b.pieces[b.old-1], wire)
}

// layerChanged notes that the pieces there are were written before the layer was set.
func (c *Conn) layerChanged() {
	if c.has(flagFiles) {
		b := c.worker.behind[c]
		b.old = len(b.pieces)
	}
}

// fill moves into the queue what has its turn: bytes, and what a layer makes of a
// file. It stops at a file that the kernel is to send, and at what waits for a layer
// to be ready: it would have to keep all of it.
func (c *Conn) fill() error {
	b, pool := c.worker.behind[c], &c.worker.pool
	if b.broken { // what it was given is lost
		c.abort(c.err)
		return nil
	}
	for c.out.size-b.bytes < filePiece {
		p := &b.pieces[0]
		switch {
		case p.layer == nil && p.f != nil:
			return nil
		case p.layer != nil && !p.layer.Ready():
			if c.out.head == nil && c.stalled == 0 {
				c.setStall() // nothing else bounds this wait
			}
			return nil
		case p.f != nil:
			if err := c.fillFile(b, p); err != nil {
				return err
			}
		default:
			k := p.q.head
			if p.layer != nil {
				if err := c.encodeBy(b, p.layer, k.b); err != nil {
					return err
				}
			}
			p.q.head, k.next = k.next, nil
			b.bytes -= len(k.b)
			if p.layer == nil {
				c.out.link(pool, k)
			} else {
				c.out.size -= len(k.b)
				pool.put(k)
			}
		}
		if (p.f == nil && p.q.head == nil || p.f != nil && p.n == 0) && !c.nextPiece(b) {
			return nil
		}
	}
	return nil
}

// fillFile takes a piece of a file through its layer.
func (c *Conn) fillFile(b *behind, p *piece) error {
	w := c.worker
	if w.file == nil {
		w.file = make([]byte, filePiece)
	}
	n, err := loop.ReadFileAt(p.f, w.file[:min(p.n, filePiece)], p.off)
	if err != nil {
		return err
	}
	p.off += int64(n)
	p.n -= int64(n)
	b.left -= int64(n)
	err = c.encodeBy(b, p.layer, w.file[:n])
	poison.Fill(w.file[:n])
	return err
}

func (c *Conn) encodeBy(b *behind, l Layer, p []byte) error {
	b.broken = true
	wire, err := l.Encode(c.worker.wire[:0], p)
	b.broken = false
	c.worker.wire = scratch(wire)
	if err == nil {
		c.out.push(&c.worker.pool, wire)
		poison.Fill(wire)
	}
	return err
}

// nextPiece goes on to the next piece and reports whether there is one.
func (c *Conn) nextPiece(b *behind) bool {
	f := b.pieces[0].f
	b.pieces[0] = piece{}
	b.pieces = b.pieces[1:]
	b.old = max(b.old-1, 0)
	if f != nil {
		b.files--
		c.release(f)
	}
	if len(b.pieces) > 0 {
		return true
	}
	delete(c.worker.behind, c)
	c.take(flagFiles)
	return false
}

// fileDue reports whether the kernel is to send a file next.
func (c *Conn) fileDue() bool {
	p := &c.worker.behind[c].pieces[0]
	return p.f != nil && p.layer == nil
}

// sendFile sends bufs, which are what the queue has, and the file behind it.
func (c *Conn) sendFile(bufs [][]byte) (int, error) {
	b := c.worker.behind[c]
	if p := &b.pieces[0]; c.fileDue() && c.out.size-b.bytes == sum(bufs) {
		return c.stream.SendFile(bufs, p.f, p.off, int(min(p.n, 1<<30)))
	}
	return c.stream.Send(bufs)
}

func sum(bufs [][]byte) (n int) {
	for _, b := range bufs {
		n += len(b)
	}
	return n
}

// sentFile forgets what was sent of a file, and returns how much of n bytes was not
// of it.
func (c *Conn) sentFile(n int) int {
	b := c.worker.behind[c]
	ahead := min(n, c.out.size-b.bytes)
	if k := int64(n - ahead); k > 0 {
		p := &b.pieces[0]
		p.off += k
		p.n -= k
		b.left -= k
		if p.n == 0 {
			c.nextPiece(b)
		}
	}
	return ahead
}

// dropOutput forgets what is unsent of a connection that has ended.
func (c *Conn) dropOutput() {
	if c.has(flagFiles) {
		b := c.worker.behind[c]
		for more := true; more; {
			b.pieces[0].q.drop(&c.worker.pool)
			more = c.nextPiece(b)
		}
	}
	c.out.drop(&c.worker.pool)
}

// sendFailed ends a connection on which something could not be sent.
func (c *Conn) sendFailed(err error) {
	var fault *loop.FileError
	if errors.As(err, &fault) {
		c.cutShort(err)
		return
	}
	c.lost(fmt.Errorf("send: %w", err))
}

// cutShort ends a connection of whose output the rest cannot be had. It is reset, so
// that the peer does not take the end for that of the output.
func (c *Conn) cutShort(err error) {
	c.worker.enter(c) // what ends is settled next
	c.AbortOn(SystemFault, err)
}
