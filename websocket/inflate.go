package websocket

import (
	"bytes"
	"io"
	"sync"

	"github.com/jay-go/jay"
	"github.com/klauspost/compress/flate"
)

// inflaters are the decompressors of a Handler at rest. Any goroutine may use
// them.
type inflaters struct{ pool sync.Pool }

// inflater decompresses one message at a time.
type inflater struct {
	r   io.Reader // a flate reader of src; nil until the first message
	src bytes.Reader
	in  jay.Buffer // the message, where it came in one piece
	out jay.Buffer
}

func (i *inflaters) get() *inflater {
	if z, ok := i.pool.Get().(*inflater); ok {
		return z
	}
	return new(inflater)
}

func (i *inflaters) put(z *inflater) {
	z.src.Reset(nil)
	z.in.Free()
	z.out.Free()
	i.pool.Put(z)
}

// inflateTail is what is read behind a message: the end that its sender has
// taken off, and an empty last block, at which the stream must end.
const inflateTail = flushTail + "\x01\x00\x00\xff\xff"

// maxFinalBlocks is how many streams one message may consist of. RFC 7692
// section 7.2.3.4 allows a message to hold a block that says it is the last;
// what follows is a stream of its own.
const maxFinalBlocks = 8

// inflate decompresses a message of at most limit bytes. The result is valid
// until z is put back. Memory is that of jc. Where the message has a buffer to
// itself, that is joined and gets the tail; otherwise joined is nil.
func (z *inflater) inflate(jc *jay.Conn, p []byte, joined *jay.Buffer, w *windows, a agreement, limit int64) ([]byte, *Error) {
	if len(p) == 0 {
		return nil, nil // zlib takes it for an empty message, so some send it
	}
	if joined == nil {
		joined = &z.in
		if joined.AppendOf(jc, p, len(p)+len(inflateTail)) != nil {
			return nil, errBudget
		}
	}
	if joined.AppendString(jc, inflateTail) != nil {
		return nil, errBudget
	}
	z.src.Reset(joined.Bytes())
	for streams := 0; ; streams++ {
		dict := w.received()
		if streams > 0 {
			dict = lastOf(dict, z.out.Bytes(), 1<<maxWindowBits)
		}
		z.restart(dict)
		if err := z.read(jc, limit); err != nil {
			return nil, err
		}
		if left := z.src.Len(); left == 0 || left == len(inflateTail) {
			break // all was read; in the second case a last block was the end
		}
		if streams == maxFinalBlocks {
			return nil, errDeflate
		}
	}
	if w.keepReceived(jc, z.out.Bytes(), a) != nil {
		return nil, errBudget
	}
	return z.out.Bytes(), nil
}

// lastOf returns the last size bytes of a and b.
func lastOf(a, b []byte, size int) []byte {
	both := append(bytes.Clone(a), b[max(0, len(b)-size):]...)
	return both[max(0, len(both)-size):]
}

func (z *inflater) restart(dict []byte) {
	if z.r == nil {
		z.r = flate.NewReaderDict(&z.src, dict)
		return
	}
	_ = z.r.(flate.Resetter).Reset(&z.src, dict) // it always succeeds
}

// read appends one stream to out, which grows no further than limit.
func (z *inflater) read(jc *jay.Conn, limit int64) *Error {
	for {
		if z.out.Grow(jc, 0) != nil {
			return errBudget
		}
		n, err := z.r.Read(z.out.Room())
		z.out.Extend(n)
		switch {
		case int64(z.out.Len()) > limit:
			return errMessageTooBig
		case err == io.EOF:
			return nil
		case err != nil:
			return errDeflate
		}
	}
}
