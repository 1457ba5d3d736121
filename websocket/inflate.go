package websocket

import (
	"bytes"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
)

// inflaters are the decompressors of a Handler at rest. Any goroutine may use
// them.
type inflaters struct{ pool sync.Pool }

// inflater decompresses one message at a time.
type inflater struct {
	r   io.Reader // a flate reader of src; nil until the first message
	src bytes.Reader
	in  buffer
	out buffer
}

func (i *inflaters) get() *inflater {
	if z, ok := i.pool.Get().(*inflater); ok {
		return z
	}
	return new(inflater)
}

func (i *inflaters) put(z *inflater) {
	for _, b := range []*buffer{&z.in, &z.out} {
		if cap(b.b) > keepBuffer {
			b.b = nil
		}
	}
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
// until z is used again or put back.
func (z *inflater) inflate(p []byte, w *windows, a agreement, limit int64) ([]byte, *Error) {
	z.out.b = z.out.b[:0]
	if len(p) == 0 {
		return nil, nil // zlib takes it for an empty message, so some send it
	}
	z.in.b = append(append(z.in.b[:0], p...), inflateTail...)
	z.src.Reset(z.in.b)
	for streams := 0; ; streams++ {
		dict := w.received()
		if streams > 0 {
			dict = slide(bytes.Clone(dict), z.out.b, 1<<maxWindowBits)
		}
		z.restart(dict)
		if err := z.read(limit); err != nil {
			return nil, err
		}
		if left := z.src.Len(); left == 0 || left == len(inflateTail) {
			break // all was read; in the second case a last block was the end
		}
		if streams == maxFinalBlocks {
			return nil, errDeflate
		}
	}
	w.keepReceived(z.out.b, a)
	return z.out.b, nil
}

func (z *inflater) restart(dict []byte) {
	if z.r == nil {
		z.r = flate.NewReaderDict(&z.src, dict)
		return
	}
	_ = z.r.(flate.Resetter).Reset(&z.src, dict) // it always succeeds
}

// read appends one stream to out, which grows no further than limit.
func (z *inflater) read(limit int64) *Error {
	for {
		if len(z.out.b) == cap(z.out.b) {
			size := min(max(4<<10, 2*int64(cap(z.out.b))), limit+1)
			if int64(len(z.out.b)) < size {
				z.out.b = append(make([]byte, 0, size), z.out.b...)
			}
		}
		room := z.out.b[len(z.out.b):cap(z.out.b)]
		n, err := z.r.Read(room)
		z.out.b = z.out.b[:len(z.out.b)+n]
		switch {
		case int64(len(z.out.b)) > limit:
			return errMessageTooBig
		case err == io.EOF:
			return nil
		case err != nil:
			return errDeflate
		}
	}
}
