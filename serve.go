package jay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jay-go/jay/internal/addr"
	"github.com/jay-go/jay/loop"
	"github.com/jay-go/jay/supervise"
)

// host is what surrounds the Workers of a process: a [supervise.Worker], of which
// tests make up the parts.
type host struct {
	slot        int
	incarnation uint32
	backend     string
	logger      *slog.Logger
	ready       func() error
	began       func(all []*Worker)                     // called before anything runs on the loops
	report      func(supervise.Loop) (reporting, error) // a loop, before it runs
	metrics     func(...supervise.Metric) error
	health      func(part string, err error)
	watchdog    watchLimits
	listening   func() []listening // as it is now
}

// reporting is what a loop tells the host of itself, and asks it: a
// [supervise.Report].
type reporting interface {
	Beat()
	Hung(why string)
	Recovered()
	SetLoad(connections int)
	PeerLoad() (connections, loops int)
	OnSockets(fn func())
	Unlisten()                // nobody will accept any more
	Overtaken() <-chan *Drain // a drain more urgent than the first
	End()
}

// listening is one open address.
type listening struct {
	addr   net.Addr
	sock   loop.ListenSocket
	socket supervise.Socket
}

// Serve runs the server in this process, without a master: for tests,
// debuggers and programs that want it so. It listens, serves until ctx is
// done, drains for at most StopTimeout, and returns nil; or it returns why it
// could not start. OnReady is told the addresses. What is a master's business has
// no meaning here: Workers, ReusePort, NotReloadable, OnReload, StartTimeout,
// MaxRequests, MaxAge, MaxRSS. Several servers are served by [Options.Serve].
func (s *Server) Serve(ctx context.Context) error {
	return (&Options{Servers: []*Server{s}}).Serve(ctx)
}

// program describes the server to package supervise.
func (s *Server) program() supervise.Program {
	var workers atomic.Pointer[[]*Worker] // of this process, once they run
	p := supervise.Program{
		Name: s.name(), Protocol: s.protocols(), Listen: s.addrs(),
		Count: s.Workers, ReusePort: s.ReusePort, Backlog: s.Backlog,
		Descriptors: s.descriptors(), StartTimeout: s.StartTimeout, StopTimeout: s.StopTimeout,
		MaxRequests: s.MaxRequests, MaxAge: s.MaxAge, MaxRSS: s.MaxRSS,
		NotReloadable: s.NotReloadable, Exclusive: s.Exclusive, Limits: s.limits(), Check: s.check,
		Run: func(ctx context.Context, w *supervise.Worker) error {
			return s.runWorker(ctx, w, func(all []*Worker) { workers.Store(&all) })
		},
	}
	if s.OnReload != nil {
		p.OnReload = func(*supervise.Worker) {
			if all := workers.Load(); all != nil {
				for _, w := range *all {
					w.await(func() { s.OnReload(w) })
				}
			}
		}
	}
	return p
}

func (s *Server) runWorker(ctx context.Context, w *supervise.Worker, began func([]*Worker)) error {
	settings := w.Settings()
	return s.run(ctx, host{
		began: began,
		slot:  w.Slot(), incarnation: settings.Incarnation, backend: s.backend(settings.Backend), logger: w.Logger(),
		ready:   w.Ready,
		report:  func(l supervise.Loop) (reporting, error) { return w.Report(l) },
		metrics: w.Metrics, health: w.Health,
		watchdog:  watchLimits{warn: settings.BlockWarning, limit: settings.Watchdog},
		listening: func() []listening { return listeningOn(w.Sockets()) },
	})
}

// help runs fn on a goroutine that the worker's end waits for. It reports false
// when the worker has ended.
func (w *Worker) help(fn func()) bool {
	if w.life.Err() != nil {
		return false
	}
	w.helpers.Go(fn)
	return true
}

func (p *process) newWorker(ctx context.Context, i, n int) (*Worker, error) {
	s, h := p.server, p.host
	w := &Worker{
		proc: p, index: i, server: s, host: h, name: s.name(), drained: make(chan struct{}),
		maxConns: s.maxConns(), maxBuffered: s.maxBuffered(),
	}
	w.life, w.die = context.WithCancel(context.WithoutCancel(ctx))
	w.pool.limit = w.maxBuffered / n
	w.conns.next, w.conns.prev = &w.conns, &w.conns
	w.nextID, w.idStep = firstID(h.incarnation)+uint64(i), uint64(n)
	var err error
	w.loop, err = loop.New(loop.Config{Backend: h.backend, TurnEnd: w.turnEnd, Recover: w.recovered, Logger: h.logger})
	if err != nil {
		return nil, err
	}
	if w.report, err = h.report(supervise.Loop{Stats: w.supervised, Connections: w.connections}); err != nil {
		w.loop.Stop()
		return nil, errors.Join(err, w.loop.Run()) // closes what it has
	}
	w.report.SetLoad(0)
	return w, nil
}

// start is the first thing that runs on the loop. It reports whether the start
// goes on.
func (w *Worker) start() bool {
	w.starting, w.started = true, true
	if on := w.server.OnWorkerStart; on != nil {
		if err := on(w); err != nil {
			w.startFailed(fmt.Errorf("OnWorkerStart: %w", err))
			return false
		}
	}
	w.starting = false
	return true
}

// startListening accepts on the server's addresses, when all loops have started.
// It reports whether the start goes on.
func (w *Worker) startListening() bool {
	if w.drain != nil {
		return true // what was to come is over
	}
	for i, on := range w.host.listening() {
		if err := w.listen(i, on); err != nil {
			w.startFailed(err)
			return false
		}
	}
	w.report.OnSockets(func() { w.relisten(w.host.listening()) })
	return true
}

// listen accepts on the server's address number i.
func (w *Worker) listen(i int, on listening) error {
	e := w.server.endpointAt(i, on.socket.Configured)
	if err := e.check(); err != nil {
		return fmt.Errorf("listen on %s: %w", on.addr, err)
	}
	a, err := w.accept(on, e.origin())
	if err == nil {
		w.acceptors = append(w.acceptors, a)
	}
	return err
}

// accept begins to take the connections of a socket.
func (w *Worker) accept(on listening, from *origin) (*acceptor, error) {
	from.setAddr(on.addr)
	a := &acceptor{worker: w, socket: on.socket, fd: on.sock.FD, from: from}
	tuneListener(on.sock.FD, from)
	var err error
	if a.ln, err = w.loop.Listen(on.sock, a); err != nil {
		return nil, fmt.Errorf("accept on %s: %w", on.addr, err)
	}
	w.listening++
	a.resume()
	return a, nil
}

// relisten accepts on the sockets of on, which are others than before, and
// returns when the loop has let go of those that are not among them. Any
// goroutine may call it.
func (w *Worker) relisten(on []listening) {
	w.await(func() { w.setListening(on) })
}

// await runs fn on the loop and returns when it has, or when the loop has ended.
// Any goroutine but the loop's may call it.
func (w *Worker) await(fn func()) {
	done := make(chan struct{})
	if w.loop.PostAnyway(func() { defer close(done); fn() }) != nil {
		return
	}
	select {
	case <-done:
	case <-w.loop.Done():
	}
}

func (w *Worker) setListening(on []listening) {
	if w.drain != nil {
		return // all are closed
	}
	wanted := func(a *acceptor) bool {
		return slices.ContainsFunc(on, func(l listening) bool { return l.sock.FD == a.fd })
	}
	had := func(l listening) bool {
		return slices.ContainsFunc(w.acceptors, func(a *acceptor) bool { return l.sock.FD == a.fd })
	}
	w.acceptors = slices.DeleteFunc(w.acceptors, func(a *acceptor) bool {
		if wanted(a) {
			return false
		}
		a.ln.Close()
		return true
	})
	for i, l := range on {
		if had(l) {
			continue
		}
		if err := w.listen(i, l); err != nil {
			w.onError(nil, err)
		}
	}
}

func (w *Worker) startFailed(err error) {
	w.starting = false
	w.startErr = err
	w.closeListeners()
	for _, ln := range w.own {
		ln.end()
	}
	w.loop.Stop()
}

// awaitDrain drains the worker and returns when nothing is left of it. It runs
// outside the loop.
func (w *Worker) awaitDrain(d *Drain) {
	_ = w.loop.PostAnyway(func() { w.startDrain(d) })
	var last, end <-chan time.Time
	if !d.Deadline.IsZero() {
		left := time.Until(d.Deadline)
		last, end = time.After(left-lastCallBefore(left)), time.After(left)
	}
	for {
		select {
		case <-w.drained:
			return
		case <-w.loop.Done():
			return
		case d := <-w.report.Overtaken():
			w.awaitDrain(d)
			return
		case <-last:
			_ = w.loop.PostAnyway(w.lastCall)
		case <-end:
			_ = w.loop.PostAnyway(w.abortAll)
		}
	}
}

// abandon ends a loop whose sibling has failed.
func (w *Worker) abandon() {
	w.closeListeners()
	for _, ln := range w.own {
		ln.end()
	}
	w.stop()
	w.loop.Stop()
}

// stop is the last thing that runs on the loop.
func (w *Worker) stop() {
	started := w.started
	w.started = false
	if on := w.server.OnWorkerStop; on != nil && started {
		on(w)
	}
}

// drainOf returns why ctx is done: what the supervisor says, or a plain stop.
func drainOf(ctx context.Context, s *Server) *Drain {
	if d, ok := errors.AsType[*Drain](context.Cause(ctx)); ok {
		return d
	}
	d := &Drain{Reason: DrainStop}
	if t := timeout(cmp.Or(s.StopTimeout, 10*time.Second)); t != none {
		d.Deadline = time.Now().Add(t)
	}
	return d
}

func listeningOn(sockets []supervise.Socket) (on []listening) {
	for _, s := range sockets {
		on = append(on, listening{addrOf(s), loop.ListenSocket{FD: s.FD(), Listener: s.Listener}, s})
	}
	return on
}

// addrOf returns a socket's bound address.
func addrOf(s supervise.Socket) net.Addr {
	a, err := addr.Parse(s.Addr)
	if err != nil {
		return &net.UnixAddr{Net: "unix", Name: s.Addr}
	}
	network, address := a.Network()
	if network == "unix" {
		return &net.UnixAddr{Net: network, Name: address}
	}
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return &net.TCPAddr{}
	}
	return net.TCPAddrFromAddrPort(ap)
}
