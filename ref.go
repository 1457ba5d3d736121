package jay

import (
	"math"

	"github.com/jay-go/jay/internal/loop"
)

// Ref is a connection in the hands of other goroutines. It is a small value,
// comparable and safe to keep: once the connection has closed, its methods
// return ErrClosed. Calls of one goroutine take effect in their order. The
// zero Ref is of a closed connection.
//
// What waits for the loop is bounded, by connection and for the worker: while
// the loop is busy, or the callers are too many, calls return an error and have
// no effect. Close and Abort always get through.
type Ref struct{ c *Conn }

// ID returns the connection's id, 0 for the zero Ref.
func (r Ref) ID() uint64 {
	if r.c == nil {
		return 0
	}
	return r.c.id
}

// Closed reports whether the connection has closed.
func (r Ref) Closed() bool { return r.c == nil || r.c.gone.Load()&refGone != 0 }

// Do runs fn on the connection's loop, soon. It returns ErrClosed, and fn is
// never called, when the connection has closed; if it closes before fn's turn
// comes, fn is not called either. It returns ErrBusy when 65,536 funcs of this
// connection wait for the loop, 524,288 in all, or many
// while the worker's memory budget is spent.
func (r Ref) Do(fn func(c *Conn)) error {
	return r.Carry(nil, func(c *Conn, _ []byte) { fn(c) })
}

// Carry is Do with a copy of p, a message to be written, say. It returns
// ErrOutputLimit when more than ConnConfig.MaxOutput would wait for this connection,
// and ErrBudget when the worker's memory budget is spent and this connection
// holds much of it already; then p was not copied. Once Close, CloseWrite or Detach
// was called it returns ErrClosed, unless p is empty; what was accepted before is
// written before they take effect.
func (r Ref) Carry(p []byte, fn func(c *Conn, p []byte)) error {
	if r.Closed() {
		return ErrClosed
	}
	if err := r.c.reserve(len(p)); err != nil {
		return err
	}
	return r.c.carry(append([]byte(nil), p...), fn)
}

// Send writes a copy of p; see [Conn.Write] for what becomes of it, and Carry
// for the errors: nothing is written then.
func (r Ref) Send(p []byte) error { return r.Carry(p, writeCarried) }

// writeCarried copies p once more only where that takes less memory.
func writeCarried(c *Conn, p []byte) {
	if len(p) < shareFrom {
		_, _ = c.Write(p)
	} else {
		_, _ = c.WriteShared(p)
	}
}

// Close closes the connection as [Conn.Close] does.
func (r Ref) Close() error { return r.once(refClose, (*Conn).Close) }

// Abort closes the connection as [Conn.Abort] does.
func (r Ref) Abort() error { return r.once(refAbort, (*Conn).Abort) }

// Of Conn.gone.
const (
	refGone  uint32 = 1 << iota // the socket is closed
	refClose                    // Ref.Close waits for the loop
	refAbort                    // Ref.Abort does
)

// once has fn run on the loop, unless it waits for that already: so it needs no
// bound.
func (r Ref) once(what uint32, fn func(c *Conn)) error {
	if r.Closed() {
		return ErrClosed
	}
	c := r.c
	if c.gone.Or(what)&what != 0 {
		return nil
	}
	if c.worker.loop.PostAnyway(func() {
		c.gone.And(^what)
		c.do(fn)
	}) != nil {
		return ErrClosed
	}
	return nil
}

// carry posts fn, for which the bytes of p were reserved.
func (c *Conn) carry(p []byte, fn func(c *Conn, p []byte)) error {
	err := c.worker.loop.Post(func() {
		c.unreserve(len(p))
		c.worker.pool.dropped += len(p) + mailCost
		if len(p) > 0 {
			c.deliverMail(p, fn)
		} else {
			c.do(func(c *Conn) { fn(c, nil) })
		}
	})
	switch err {
	case nil:
		return nil
	case loop.ErrBusy:
		c.unreserve(len(p))
		if len(p) > 0 {
			c.goOnEnding()
		}
		return ErrBusy
	}
	return ErrClosed
}

// goOnEnding has what waits for accepted bytes look again when the last of them
// were refused after all. No more are accepted then, so it is called once or for
// a few callers at most, and needs no bound.
func (c *Conn) goOnEnding() {
	if had := c.posted.Load(); had < 0 && had&mailBytes == 0 {
		_ = c.worker.loop.PostAnyway(func() {
			if c.gone.Load()&refGone == 0 {
				c.later()
			}
		})
	}
}

// deliverMail runs a func that carries bytes. They were accepted: they may be
// written although the connection has begun to finish, which waits for them.
func (c *Conn) deliverMail(p []byte, fn func(*Conn, []byte)) {
	if c.gone.Load()&refGone != 0 {
		return
	}
	c.flags |= flagMail
	c.later()
	c.worker.enter(c)
	fn(c, p)
	c.worker.leave()
	c.flags &^= flagMail
}

// mail is what of one connection waits for the loop: the number of funcs, and
// below it that of the bytes that they carry. The sign says that no bytes are
// accepted any more.
const (
	mailBytes = 1<<40 - 1
	mailOne   = 1 << 40
	maxMail   = 1 << 16 // funcs
	mailCost  = 256     // bytes that a func takes beside those that it carries
	noMail    = -1 << 63
)

// mailed returns how many bytes were accepted and wait for the loop.
func (c *Conn) mailed() int64 { return c.posted.Load() & mailBytes }

// refuseMail has no more bytes accepted.
func (c *Conn) refuseMail() { c.posted.Or(noMail) }

// reserve counts a func with n bytes that will wait for the loop, if that is not
// too much. Any goroutine may call it.
func (c *Conn) reserve(n int) error {
	w := c.worker
	for {
		had := c.posted.Load()
		bytes, funcs := int(had&mailBytes), int(had&^noMail>>40)
		if had < 0 && n > 0 {
			return ErrClosed
		}
		var err error
		switch {
		case funcs >= maxMail:
			err = ErrBusy
		case n > min(c.via.maxOutput, min(mailBytes, math.MaxInt))-bytes:
			err = ErrOutputLimit
		case int(w.posted.Load()+w.spent.Load())+w.others()+n+mailCost > w.maxBuffered && bytes+n+funcs*mailCost > modestSize:
			if err = ErrBudget; n == 0 {
				err = ErrBusy
			}
		}
		if err != nil {
			w.stats.refusedSends.Add(1)
			return err
		}
		if c.posted.CompareAndSwap(had, had+mailOne+int64(n)) {
			w.posted.Add(int64(n) + mailCost)
			return nil
		}
	}
}

func (c *Conn) unreserve(n int) {
	c.posted.Add(-mailOne - int64(n))
	c.worker.posted.Add(-int64(n) - mailCost)
}

func (c *Conn) do(fn func(*Conn)) {
	if c.gone.Load()&refGone != 0 {
		return
	}
	c.worker.enter(c)
	fn(c)
	c.worker.leave()
}
