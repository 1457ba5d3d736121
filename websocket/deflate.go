package websocket

import (
	"sync"

	"github.com/jay-go/jay/internal/poison"
	"github.com/klauspost/compress/flate"
)

// keepBuffer is how large a buffer may be that a pool keeps.
const keepBuffer = 1 << 20

// deflaters are the compressors of a Handler at rest, by window size. Any
// goroutine may use them.
type deflaters struct{ pools [maxWindowBits + 1]sync.Pool }

// deflater compresses one message at a time.
type deflater struct {
	w    *flate.Writer
	out  []byte
	bits uint8
	dict bool // w holds a reference to a window
}

func (d *deflaters) get(cfg *Deflate, bits uint8) *deflater {
	if z, ok := d.pools[bits].Get().(*deflater); ok {
		return z
	}
	z := &deflater{bits: bits}
	var err error
	if bits == maxWindowBits {
		z.w, err = flate.NewWriter(z, cfg.level())
	} else {
		z.w, err = flate.NewWriterWindow(z, 1<<bits)
	}
	if err != nil {
		panic("websocket: Deflate.Level: " + err.Error())
	}
	return z
}

func (d *deflaters) put(z *deflater) {
	if z.dict {
		z.w.ResetDict(z, nil)
		z.dict = false
	}
	poison.Fill(z.out[:cap(z.out)])
	if cap(z.out) > keepBuffer {
		z.out = nil
	}
	d.pools[z.bits].Put(z)
}

// Write takes what the compressor makes.
func (z *deflater) Write(p []byte) (int, error) {
	z.out = append(z.out, p...)
	return len(p), nil
}

// flushTail is how a flushed deflate stream ends; it is not sent (RFC 7692
// section 7.2.1).
const flushTail = "\x00\x00\xff\xff"

// deflate compresses p, which may refer to window. The result is valid until
// z is used again or put back.
func (z *deflater) deflate(p, window []byte) []byte {
	z.out = z.out[:0]
	if len(window) > 0 {
		z.dict = true
		z.w.ResetDict(z, window)
	} else {
		z.w.Reset(z)
	}
	_, _ = z.w.Write(p) // Write above does not fail
	_ = z.w.Flush()
	return z.out[:len(z.out)-len(flushTail)]
}
