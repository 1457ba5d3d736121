package websocket

// windows is what takeover keeps of a connection's messages between two of
// them: the text that the next may refer to. All methods work on nil, which is
// no takeover.
type windows struct {
	out []byte // the end of what was sent compressed
	in  []byte // the end of what was received compressed
}

func (w *windows) sent() []byte {
	if w == nil {
		return nil
	}
	return w.out
}

func (w *windows) received() []byte {
	if w == nil {
		return nil
	}
	return w.in
}

func (w *windows) keepSent(p []byte, a agreement) {
	if w != nil && a.serverTakeover {
		w.out = slide(w.out, p, 1<<a.serverBits)
	}
}

func (w *windows) keepReceived(p []byte, a agreement) {
	if w != nil && a.clientTakeover {
		w.in = slide(w.in, p, 1<<a.clientBits)
	}
}

// slide returns the last size bytes of window and p, in window's memory where
// there is room.
func slide(window, p []byte, size int) []byte {
	if len(p) >= size {
		return append(window[:0], p[len(p)-size:]...)
	}
	if over := len(window) + len(p) - size; over > 0 {
		window = window[:copy(window, window[over:])]
	}
	return append(window, p...)
}
