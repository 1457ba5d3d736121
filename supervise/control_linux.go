package supervise

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/internal/bytejson"
	"github.com/jay-go/jay/internal/fleet"
	"github.com/jay-go/jay/internal/logs"
	"github.com/jay-go/jay/internal/sys"
)

// controlServer is the control API on the Unix socket of the run directory, from
// one start of this program to its end, or to an upgrade. Its handlers reach the
// master through do; what the owner changes, in move, they do not look at.
type controlServer struct {
	m      *master
	origin origin // of the master, for those who say theirs
	drain  *httpDrain
	ending chan struct{} // closed when answers that go on have to end
	once   sync.Once     // closes

	fd       int // the listening socket, which outlives the server and goes through an exec
	ln       net.Listener
	accepted chan struct{} // closed when the server knows every connection that ln had
}

type peerKey struct{}

// peer is who asks.
type peer struct{ uid, pid int }

// newControlServer serves the socket, which it takes over unless it fails.
func newControlServer(m *master, fd int) (*controlServer, error) {
	c := &controlServer{m: m, origin: originOf(m.c, m.path), ending: make(chan struct{})}
	server := &http.Server{
		Handler: c.guard(refuseUnknown(c.routes())), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: 30 * time.Second,
		MaxHeaderBytes: 16 << 10,
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			uid, pid, err := sys.PeerCred(conn.(*controlConn).UnixConn)
			if err != nil {
				uid = -1
			}
			return context.WithValue(ctx, peerKey{}, peer{uid, pid})
		},
	}
	c.drain = newHTTPDrain(server)
	return c, c.listen(fd)
}

// listen answers whoever comes to a socket, until its listener is closed.
func (c *controlServer) listen(fd int) error {
	ln, err := newControlListener(fd)
	if err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	accepted := make(chan struct{})
	c.fd, c.ln, c.accepted = fd, ln, accepted
	go func() {
		defer close(accepted)
		c.drain.server.Serve(ln) // returns when closed
	}()
	return nil
}

// move goes on with another listening socket, which it takes over unless it
// fails. Answers that have begun go on.
func (c *controlServer) move(fd int) error {
	oldFD, old, accepted := c.fd, c.ln, c.accepted
	if err := c.listen(fd); err != nil {
		return err
	}
	go func() { // to the end of the process, in case
		old.Close()
		<-accepted
		sys.Close(oldFD)
	}()
	return nil
}

func (c *controlServer) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", c.status)
	mux.HandleFunc("GET /v1/connections", c.connections)
	mux.HandleFunc("GET /v1/operations/{id}", c.operation)
	mux.HandleFunc("GET /v1/logs", c.logs)
	mux.HandleFunc("GET /v1/events", c.events)
	for _, kind := range []fleet.CommandKind{fleet.CommandReload, fleet.CommandUpgrade, fleet.CommandScale, fleet.CommandStop, fleet.CommandRestart} {
		mux.HandleFunc("POST /v1/"+string(kind), func(w http.ResponseWriter, r *http.Request) { c.command(w, r, kind) })
	}
	mux.HandleFunc("POST /v1/reopen-logs", c.reopenLogs)
	mux.HandleFunc("GET /metrics", c.metrics)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", c.ready)
	return mux
}

// refuseUnknown answers what the mux has no handler for as the API answers errors.
func refuseUnknown(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			other := http.Request{Method: method, Host: r.Host, URL: r.URL}
			if _, pattern := mux.Handler(&other); pattern != "" {
				w.Header().Set("Allow", method)
				refuse(w, http.StatusMethodNotAllowed, fmt.Errorf("%s %s: the method is %s", r.Method, r.URL.Path, method))
				return
			}
		}
		refuse(w, http.StatusNotFound, fmt.Errorf("%s %s is not known; GET /v1/status is, say", r.Method, r.URL.Path))
	})
}

// close stops serving. Questions that have arrived are answered within limit,
// provided that the owner runs meanwhile; those that come wait in the socket,
// which stays open. A second call does nothing.
func (c *controlServer) close(limit time.Duration) {
	c.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		close(c.ending)
		close(c.drain.draining)
		c.ln.Close()
		<-c.accepted
		c.drain.finish(ctx)
	})
}

// closed reports whether close was called.
func (c *controlServer) closed() bool {
	select {
	case <-c.ending:
		return true
	default:
		return false
	}
}

// guard lets in root and the master's own user, whatever the socket's mode is, and
// no command of another program.
func (c *controlServer) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := r.Context().Value(peerKey{}).(peer)
		if p.uid != 0 && p.uid != os.Geteuid() {
			refuse(w, http.StatusForbidden, fmt.Errorf("uid %d may not control this service", p.uid))
			return
		}
		if header := r.Header.Get(control.OriginHeader); header != "" {
			other, err := parseOrigin(header)
			if err == nil {
				err = c.origin.refuses(other, c.m.dir)
			}
			if err != nil {
				refuse(w, http.StatusConflict, err)
				return
			}
		}
		r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		next.ServeHTTP(w, r)
	})
}

func answer(w http.ResponseWriter, code int, v any) {
	b, err := bytejson.Encode(v)
	if err != nil { // figures and text always encode
		code, b = http.StatusInternalServerError, []byte(`{"error":"the answer cannot be encoded"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	w.Write(append(b, '\n')) // the client may be gone
}

func refuse(w http.ResponseWriter, code int, err error) {
	answer(w, code, map[string]string{"error": err.Error()})
}

// ask gives the status, or false when the client has gone.
func (c *controlServer) ask(r *http.Request) (snapshot, bool) {
	reply := make(chan snapshot, 1)
	if c.m.do(r.Context(), func() { c.m.status(func(s snapshot) { reply <- s }) }) != nil {
		return snapshot{}, false
	}
	select {
	case s := <-reply:
		return s, true
	case <-r.Context().Done():
		return snapshot{}, false
	}
}

func (c *controlServer) status(w http.ResponseWriter, r *http.Request) {
	if s, ok := c.ask(r); ok {
		answer(w, http.StatusOK, s.Status)
	}
}

func (c *controlServer) connections(w http.ResponseWriter, r *http.Request) {
	f := connectionFilter{program: r.FormValue("program"), limit: 100}
	var err error
	if f.after, err = parseCursor(r.FormValue("after")); err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	for name, field := range map[string]*int{"limit": &f.limit, "worker": &f.pid} {
		if s := r.FormValue(name); s != "" {
			if *field, err = strconv.Atoi(s); err != nil || *field < 1 {
				refuse(w, http.StatusBadRequest, fmt.Errorf("%s=%q; write a number from 1", name, s))
				return
			}
		}
	}
	f.limit = min(f.limit, 10_000)
	reply, unknown := make(chan control.ConnectionList, 1), make(chan error, 1)
	if c.m.do(r.Context(), func() {
		if err := c.m.knows(f.program); f.program != "" && err != nil {
			unknown <- err
			return
		}
		c.m.connections(f, func(l control.ConnectionList) { reply <- l })
	}) != nil {
		return
	}
	select {
	case err := <-unknown:
		refuse(w, http.StatusBadRequest, err)
	case l := <-reply:
		answer(w, http.StatusOK, l)
	case <-r.Context().Done():
	}
}

func (c *controlServer) operation(w http.ResponseWriter, r *http.Request) {
	var op *control.Operation
	if c.m.do(r.Context(), func() {
		if found := c.m.machine.Operation(r.PathValue("id")); found != nil {
			shown := c.m.operation(found)
			op = &shown
		}
	}) != nil {
		return
	}
	if op == nil {
		refuse(w, http.StatusNotFound, fmt.Errorf("operation %q is not known", r.PathValue("id")))
		return
	}
	answer(w, http.StatusOK, op)
}

// commandBody is what a command may carry.
type commandBody struct {
	Program string `json:"program"`
	Count   int    `json:"count"`
	NoLimit bool   `json:"no_limit"` // stop, restart: without a deadline
	Now     bool   `json:"now"`      // stop: at once
}

func (c *controlServer) command(w http.ResponseWriter, r *http.Request, kind fleet.CommandKind) {
	var body commandBody
	if b, err := io.ReadAll(r.Body); err != nil || len(b) > 0 && bytejson.Decode(b, &body) != nil {
		refuse(w, http.StatusBadRequest, fmt.Errorf("%s: the body is not JSON of its fields", kind))
		return
	}
	p := r.Context().Value(peerKey{}).(peer)
	var id string
	var refused error
	err := c.m.do(r.Context(), func() {
		if refused = c.m.check(kind, &body); refused != nil {
			return
		}
		if kind != fleet.CommandStop && kind != fleet.CommandRestart && c.m.machine.Busy() {
			refused = fleet.ErrBusy
			return
		}
		op := c.m.machine.NewOperation(kind)
		id = op.ID
		c.m.logger.Info("command", "name", string(kind), "operation", id, "peer_uid", p.uid, "peer_pid", p.pid)
		// The machine steps after the answer is on its way: a stop may end the process.
		c.m.local = append(c.m.local, fleet.Command{
			Kind: kind, Op: id, Program: body.Program, Count: body.Count, NoLimit: body.NoLimit, Now: body.Now,
		})
	})
	switch {
	case err != nil:
	case refused == fleet.ErrBusy:
		refuse(w, http.StatusServiceUnavailable, fmt.Errorf("%s: %w", kind, refused))
	case refused != nil:
		refuse(w, http.StatusBadRequest, refused)
	default:
		answer(w, http.StatusAccepted, map[string]string{"operation": id})
	}
}

// knows says, of a name that no program has, which one was meant.
func (m *master) knows(program string) error {
	var names []string
	for _, p := range m.machine.Programs {
		names = append(names, p.Spec.Name)
	}
	if slices.Contains(names, program) {
		return nil
	}
	return fmt.Errorf("no program is called %q%s", program, didYouMean(program, names))
}

// check refuses a command that cannot be meant.
func (m *master) check(kind fleet.CommandKind, b *commandBody) error {
	if kind != fleet.CommandScale {
		return nil
	}
	if err := m.knows(b.Program); err != nil {
		return err
	}
	if b.Count < 1 || b.Count > fleet.MaxWorkers {
		return fmt.Errorf("scale %s=%d: write a number from 1 to %d", b.Program, b.Count, fleet.MaxWorkers)
	}
	return m.machine.Program(b.Program).Spec.CheckCount(b.Count)
}

func (c *controlServer) reopenLogs(w http.ResponseWriter, r *http.Request) {
	var id string
	if c.m.do(r.Context(), func() {
		op := c.m.machine.NewOperation(fleet.CommandReopen)
		id = op.ID
		c.m.reopenLogs(func(err error) { c.m.machine.Finish([]string{id}, err, nil) })
	}) == nil {
		answer(w, http.StatusAccepted, map[string]string{"operation": id})
	}
}

// ready is for whoever sends clients here: it says whether they are served.
func (c *controlServer) ready(w http.ResponseWriter, r *http.Request) {
	var lines []string
	var serving bool
	if c.m.do(r.Context(), func() {
		lines = append([]string{c.m.stateName()}, c.m.ailing()...)
		serving = c.m.machine.Phase == fleet.PhaseRunning && c.m.serving()
	}) != nil {
		return
	}
	if !serving {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	io.WriteString(w, strings.Join(lines, "\n")+"\n")
}

// logs sends the last n lines as text, and with follow=1 those that come.
func (c *controlServer) logs(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.FormValue("n"))
	if err != nil || n < 0 {
		n = 100
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	lines, reader := c.m.sink.Follow(n)
	defer reader.Leave()
	for _, l := range lines {
		w.Write(l)
	}
	if r.FormValue("follow") == "" {
		return
	}
	c.stream(w, r, reader, func(missed int64) string { return fmt.Sprintf("... %d lines are missing here\n", missed) })
}

// stream sends what a reader gets until the client, or the server, goes.
func (c *controlServer) stream(w http.ResponseWriter, r *http.Request, reader *logs.FanReader, gap func(missed int64) string) {
	flusher := http.NewResponseController(w)
	for {
		flusher.Flush()
		select {
		case b := <-reader.More:
			if n := reader.Missed.Swap(0); n > 0 {
				io.WriteString(w, gap(n))
			}
			if _, err := w.Write(b); err != nil {
				return
			}
		case <-r.Context().Done():
			return
		case <-c.ending:
			return
		}
	}
}
