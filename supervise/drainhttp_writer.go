package supervise

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// drainWriter says close in a response that was not begun when the drain was.
type drainWriter struct {
	http.ResponseWriter
	drain *httpDrain
	begun bool
}

func (w *drainWriter) begin() {
	if w.begun {
		return
	}
	w.begun = true
	select {
	case <-w.drain.draining:
		w.Header().Set("Connection", "close")
	default:
	}
}

func (w *drainWriter) WriteHeader(code int) {
	w.begin()
	w.ResponseWriter.WriteHeader(code)
}

func (w *drainWriter) Write(b []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(b)
}

// Flush is for handlers that ask for an http.Flusher.
func (w *drainWriter) Flush() {
	w.begin()
	http.NewResponseController(w.ResponseWriter).Flush()
}

// ReadFrom lets io.Copy use what the server has for files.
func (w *drainWriter) ReadFrom(r io.Reader) (int64, error) {
	w.begin()
	return io.Copy(w.ResponseWriter, r)
}

// Hijack is for handlers that ask for an http.Hijacker.
func (w *drainWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	return w.drain.handedOut(c), rw, nil
}

// Unwrap is for http.ResponseController.
func (w *drainWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
