package http1

import (
	"cmp"
	"os"
	"slices"

	"github.com/jay-go/jay"
)

// ahead is what App.Head sends of a response while the client waits to hear whether
// its body is wanted (RFC 9110 section 10.1.1). Behind the head of a final response
// it cannot be told any more, and it is known when Head has returned: until
// then everything is set aside, which delays nothing, as output leaves at the end
// of the turn.
type ahead struct {
	b     jay.Buffer
	files []fileAhead
}

type fileAhead struct {
	fileRange
	at int // so many bytes of b are before it
}

// asks reports whether the client waits for 100, there being n bytes of the body.
func (x *Stream) asks(n int) bool {
	return x.req.flags&flagContinue != 0 && n == 0 && x.unread() != 0
}

// setAside is queue for what has to wait: all or nothing.
func (x *Stream) setAside(head []byte, body *jay.Buffer, file *fileRange, p, end []byte) (err error) {
	c, b := x.conn, &x.ahead.b
	var kept []byte
	if body != nil {
		kept = body.Bytes()
	}
	before, n := b.Len(), len(head)+len(kept)+len(p)+len(end)
	if err := c.RoomBehind(b, n); err != nil {
		return x.noRoom(n, err)
	}
	err = cmp.Or(b.Append(c, head), b.Append(c, kept))
	at := b.Len()
	if err = cmp.Or(err, b.Append(c, p), b.Append(c, end)); err != nil {
		b.Truncate(before)
		return err
	}
	if file != nil && file.f != nil {
		x.ahead.files = append(x.ahead.files, fileAhead{*file, at})
		*file = fileRange{}
	}
	return nil
}

// goAhead queues first, and behind it what was set aside. From now on nothing is.
func (x *Stream) goAhead(first []byte) {
	c, a := x.conn, x.ahead
	x.ahead = nil
	_, err := c.WriteWhole(first)
	if a == nil {
		return // an error has closed the connection
	}
	b, from := a.b.Bytes(), 0
	for _, f := range a.files {
		_, writeErr := c.Write(b[from:f.at])
		err = cmp.Or(err, writeErr, c.WriteFile(f.f, f.off, f.n)) // which closes the file in any case
		from = f.at
	}
	_, writeErr := c.Write(b[from:])
	a.b.Free()
	if err = cmp.Or(err, writeErr); err != nil && x.state.Started {
		x.lost = true
	}
}

// dropAhead forgets what was set aside.
func (x *Stream) dropAhead() {
	a := x.ahead
	x.ahead = nil
	a.b.Free()
	for _, f := range a.files {
		x.CloseFile(f.f)
	}
}

// isAhead reports whether a range of f was set aside.
func (x *Stream) isAhead(f *os.File) bool {
	return x.ahead != nil && slices.ContainsFunc(x.ahead.files, func(a fileAhead) bool { return a.f == f })
}
