package websocket

import "sync"

// broadcast is one message on its way to many: its frame, encoded when the
// first connection needs it, plain and by window size.
type broadcast struct {
	plain      []byte
	compressed [maxWindowBits + 1][]byte // empty: not worth it; nil: not tried
}

// send sends the frame that suits c. It refers to nothing that was sent
// before, so it suits connections with takeover as well: what comes after may
// refer to it.
func (s *broadcast) send(c *Conn, m Message) error {
	if !c.plain(len(m.data)) {
		if frame := s.deflated(c, m); len(frame) > 0 {
			if _, err := c.jc.WriteShared(frame); err != nil {
				return err
			}
			c.windows.keepSent(c.jc, m.data, c.agreed)
			return nil
		}
	}
	if s.plain == nil {
		s.plain = c.h.blocks.frame(bitFin|byte(m.kind()), m.data)
	}
	_, err := c.jc.WriteShared(s.plain)
	return err
}

func (s *broadcast) deflated(c *Conn, m Message) []byte {
	frame := &s.compressed[c.agreed.serverBits]
	if *frame != nil {
		return *frame
	}
	d := c.h.deflaters.get(c.h.Deflate, c.agreed.serverBits)
	*frame = []byte{}
	if small := d.deflate(m.data, nil); len(small) < len(m.data) {
		*frame = c.h.blocks.frame(bitFin|bitRSV1|byte(m.kind()), small)
	}
	c.h.deflaters.put(d)
	return *frame
}

// blockPool makes frames that many connections refer to until each has sent
// them. Frames made one after the other lie one behind the other, so that the
// queues of connections can take them for one piece. What is in a block never
// changes; the garbage collector frees it. Any goroutine may use it.
type blockPool struct{ pool sync.Pool }

const blockSize = 64 << 10

type block struct{ b []byte }

// frame encodes a frame in memory that is not used for anything else.
func (p *blockPool) frame(first byte, payload []byte) []byte {
	need := maxHeader + len(payload)
	if need > blockSize/4 {
		return append(appendHeader(make([]byte, 0, need), first, len(payload)), payload...)
	}
	k, ok := p.pool.Get().(*block)
	if !ok {
		k = new(block)
	}
	if cap(k.b)-len(k.b) < need {
		k.b = make([]byte, 0, blockSize)
	}
	start := len(k.b)
	k.b = append(appendHeader(k.b, first, len(payload)), payload...)
	frame := k.b[start:]
	p.pool.Put(k)
	return frame
}
