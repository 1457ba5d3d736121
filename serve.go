package jay

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"

	"github.com/jay-go/jay/internal/addr"
	"github.com/jay-go/jay/internal/loop"
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
	Unlisten()                          // nobody will accept any more
	Overtaken() <-chan *supervise.Drain // a drain more urgent than the first
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
