package websocket

import "github.com/jay-go/jay"

// windows is what takeover keeps of a connection's messages between two of
// them: the text that the next may refer to. All methods work on nil, which is
// no takeover.
type windows struct {
	out jay.Buffer // the end of what was sent compressed
	in  jay.Buffer // the end of what was received compressed
}

func (w *windows) sent() []byte {
	if w == nil {
		return nil
	}
	return w.out.Bytes()
}

func (w *windows) received() []byte {
	if w == nil {
		return nil
	}
	return w.in.Bytes()
}

// keepSent keeps p for the next message. Where there is no memory for it, that
// refers to nothing.
func (w *windows) keepSent(jc *jay.Conn, p []byte, a agreement) {
	if w != nil && a.serverTakeover && slide(&w.out, jc, p, 1<<a.serverBits) != nil {
		w.out.Free()
	}
}

// keepReceived keeps p, to which the next message may refer.
func (w *windows) keepReceived(jc *jay.Conn, p []byte, a agreement) error {
	if w == nil || !a.clientTakeover {
		return nil
	}
	return slide(&w.in, jc, p, 1<<a.clientBits)
}

func (w *windows) free() {
	if w != nil {
		w.in.Free()
		w.out.Free()
	}
}

// slide makes of window the last size bytes of itself and p.
func slide(window *jay.Buffer, jc *jay.Conn, p []byte, size int) error {
	if len(p) > size {
		p = p[len(p)-size:]
	}
	if over := window.Len() + len(p) - size; over > 0 {
		b := window.Bytes()
		window.Truncate(copy(b, b[over:]))
	}
	return window.Append(jc, p)
}
