package control

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jay-go/jay/internal/bytejson"
)

// ErrNotRunning says that no master has the run directory.
var ErrNotRunning = errors.New("not running")

// Client talks to the master of a run directory over its control socket.
type Client struct {
	// Origin says which program asks, as its command line does; a master that is
	// another program refuses it then. "" is somebody who may ask everybody.
	Origin string

	// Dir is the run directory; NewClient sets it.
	Dir string

	// OnWaits is told by Do what the operation waits for, each time that this is
	// something else. nil is nobody.
	OnWaits func(Operation)

	http *http.Client
}

// OriginHeader has Client.Origin in a request.
const OriginHeader = "Jay-Program"

// SocketName is the control socket's in the run directory, PIDFileName that of the
// file which a master keeps locked.
const (
	SocketName  = "control.sock"
	PIDFileName = "master.pid"
)

// NewClient is a client of the service whose run directory is dir. It
// connects when it is used.
func NewClient(dir string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		d := net.Dialer{Timeout: AnswerTimeout} // the queue of a master that stands still may be full
		return d.DialContext(ctx, "unix", filepath.Join(dir, SocketName))
	}
	return &Client{Dir: dir, http: &http.Client{Transport: &http.Transport{
		DialContext: dial, DisableKeepAlives: true, ResponseHeaderTimeout: AnswerTimeout,
	}}}
}

// AnswerTimeout is how long a master may take to begin its answer. It does so
// within 200 ms unless it is stopped, or replaced just now.
const AnswerTimeout = 10 * time.Second

// Get sends GET path and returns the body. An answer that is no success is an
// error with the master's words.
func (c *Client) Get(ctx context.Context, path string) ([]byte, error) {
	body, err := c.Stream(ctx, path)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(body)
}

// Stream is Get for a body that goes on.
func (c *Client) Stream(ctx context.Context, path string) (io.ReadCloser, error) {
	return c.send(ctx, http.MethodGet, path, nil)
}

// Post sends a command; body may be nil.
func (c *Client) Post(ctx context.Context, path string, body any) ([]byte, error) {
	var b []byte
	if body != nil {
		var err error
		if b, err = bytejson.Encode(body); err != nil {
			return nil, err
		}
	}
	answer, err := c.send(ctx, http.MethodPost, path, b)
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	return io.ReadAll(answer)
}

// held reports whether a master has the run directory.
func (c *Client) held() bool {
	held, _ := Held(c.Dir)
	return held
}

func (c *Client) send(ctx context.Context, method, path string, body []byte) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://jay"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if c.Origin != "" {
		req.Header.Set(OriginHeader, c.Origin)
	}
	resp, err := c.http.Do(req)
	for deadline := time.Now().Add(connectPatience); comesBack(method, err); resp, err = c.http.Do(req) {
		if !c.held() {
			return nil, ErrNotRunning
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			break
		}
		time.Sleep(10 * time.Millisecond) // it starts, or restarts
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s on %s: %w", method, path, filepath.Join(c.Dir, SocketName), err)
	}
	if resp.StatusCode/100 == 2 {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	var refusal struct{ Error string }
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil || bytejson.Decode(b, &refusal) != nil || refusal.Error == "" {
		refusal.Error = fmt.Sprintf("%s %s: the master answered %s", method, path, resp.Status)
	}
	return nil, &RefusedError{resp.StatusCode, refusal.Error}
}

// RefusedError is an answer of the control API that is no success.
type RefusedError struct {
	Status int    // of HTTP
	Text   string // the master's words
}

func (e *RefusedError) Error() string { return e.Text }

// connectPatience is how long a master that has the run directory may take to
// listen on its control socket.
const connectPatience = 5 * time.Second

// OperationError is what a command has failed of.
type OperationError struct{ Text string }

func (e OperationError) Error() string { return e.Text }

// comesBack reports an error of asking that another try may cure: nobody
// listens, or, for what changes nothing, whoever listened has ended.
func comesBack(method string, err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) ||
		method == http.MethodGet && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE))
}

// IsUnreachable reports an error of asking that another try may cure: nobody
// listens, or whoever listened has ended.
func IsUnreachable(err error) bool { return comesBack(http.MethodGet, err) }

// IsTimeout reports an answer that did not come in time.
func IsTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// Status asks for the service's status.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	b, err := c.Get(ctx, "/v1/status")
	if err == nil {
		err = bytejson.Decode(b, &s)
	}
	return s, err
}

// Connections asks for a page of connections: at most limit of program ("" is
// every one) after the place that the page before named.
func (c *Client) Connections(ctx context.Context, program, after string, limit int) (ConnectionList, error) {
	var l ConnectionList
	q := url.Values{"limit": {strconv.Itoa(limit)}}
	if program != "" {
		q.Set("program", program)
	}
	if after != "" {
		q.Set("after", after)
	}
	b, err := c.Get(ctx, "/v1/connections?"+q.Encode())
	if err == nil {
		err = bytejson.Decode(b, &l)
	}
	return l, err
}

// Do sends a command and waits for its operation to end, also across an
// upgrade. gone says that the master which was asked has ended meanwhile, which
// is what a stop is about.
func (c *Client) Do(ctx context.Context, command string, body any) (detail map[string]any, gone bool, err error) {
	b, err := c.Post(ctx, "/v1/"+command, body)
	for errors.Is(err, io.EOF) && ctx.Err() == nil { // it was replaced before it answered
		time.Sleep(20 * time.Millisecond)
		b, err = c.Post(ctx, "/v1/"+command, body)
	}
	if err != nil {
		return nil, false, err
	}
	var op Operation
	if err := bytejson.Decode(b, &op); err != nil || op.ID == "" {
		return nil, false, fmt.Errorf("%s: the master answered %q", command, b)
	}
	var refused *RefusedError
	waits := ""
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		b, err := c.Get(ctx, "/v1/operations/"+op.ID)
		op.Waits = ""
		switch {
		case err == nil && bytejson.Decode(b, &op) == nil && op.State == OperationDone:
			return op.Detail, false, nil
		case err == nil && op.State == OperationFailed:
			return op.Detail, false, OperationError{op.Error}
		case err != nil && ctx.Err() != nil:
			return nil, false, ctx.Err()
		case err != nil && !c.held():
			return nil, true, nil
		case IsTimeout(err):
			return nil, false, err
		case errors.As(err, &refused) && refused.Status == http.StatusNotFound: // another master runs now
			return nil, true, nil
		}
		if op.Waits != "" && op.Waits != waits && c.OnWaits != nil {
			waits = op.Waits
			c.OnWaits(op)
		}
		time.Sleep(pause)
	}
}
