package load

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/jay-go/jay/internal/reset"
)

// A client has one connection at a time and one request on it at a time. It
// belongs to its goroutine.
type client struct {
	load  *Load
	index int

	conn    net.Conn // nil: none
	reader  *bufio.Reader
	got     counter // of the bytes received
	ordinal int     // of the next request on conn
}

// counter counts what is read through it and keeps the error that ended it.
type counter struct {
	from io.Reader
	n    int
	err  error
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.from.Read(b)
	c.n += n
	c.err = err
	return n, err
}

// do sends one request, over a new connection where there is none.
func (c *client) do() Result {
	r := Result{Client: c.index, Start: time.Now()}
	c.exchange(&r)
	r.Took = time.Since(r.Start)
	if r.Outcome != Answered || r.Close || c.load.PerConn > 0 && c.ordinal >= c.load.PerConn {
		c.hangUp()
	}
	return r
}

func (c *client) exchange(r *Result) {
	if c.conn == nil {
		if r.Err = c.connect(); r.Err != nil {
			r.Outcome = ConnectFail
			return
		}
	}
	r.Ordinal = c.ordinal
	c.ordinal++
	c.got.n, c.got.err = 0, nil
	c.conn.SetDeadline(time.Now().Add(c.load.timeout()))
	// A write that fails does not end the exchange: the server may have
	// answered before it closed.
	_, writeErr := c.conn.Write(c.load.request())
	if r.Err = c.receive(r); r.Err != nil {
		r.Outcome = c.classify(r.Ordinal)
		r.Err = errors.Join(r.Err, c.got.err, writeErr)
		return
	}
	if r.Err = c.load.check(*r); r.Err != nil {
		r.Outcome = Wrong
	}
}

func (c *client) connect() error {
	conn, err := reset.Dial(c.load.network(), c.load.Addr, c.load.timeout())
	if err != nil {
		return err
	}
	c.conn, c.ordinal = conn, 0
	c.got = counter{from: conn}
	c.reader = bufio.NewReader(&c.got)
	return nil
}

func (c *client) receive(r *Result) error {
	resp, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	r.Status, r.Close = resp.StatusCode, resp.Close
	r.Body, err = io.ReadAll(resp.Body)
	return err
}

// classify goes by how the connection ended; what a parser makes of half a
// response is beside the point.
func (c *client) classify(ordinal int) Outcome {
	reset := errors.Is(c.got.err, syscall.ECONNRESET) || errors.Is(c.got.err, syscall.EPIPE)
	switch {
	case c.got.err == nil:
		return Wrong // not HTTP
	case errors.Is(c.got.err, os.ErrDeadlineExceeded):
		return Timeout
	case c.got.n > 0:
		return Cut
	case ordinal > 0:
		return KeepAliveRace
	case reset:
		return Reset
	}
	return EOFBefore
}

func (c *client) hangUp() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}
