// Package jay is a framework for long-lived network services: a master
// process supervises worker processes, each worker runs an event loop, each
// connection speaks a protocol, and user code is a few callbacks.
//
// A [Server] describes a service. [Main] runs servers under a master with the
// command line of package supervise; [Server.Serve] runs one in this process.
//
// A [Conn] belongs to its loop: use it only inside callbacks. Other goroutines
// use its [Ref]; one that uses the Conn panics in builds with the race detector.
package jay

import (
	"cmp"
	"math"
	"net"
	"slices"
	"strings"
	"time"
)

// Server describes one service: where it listens, what its connections speak
// and which callbacks see them. Only Protocol is required. It must not be
// changed once it runs.
//
// For durations and sizes zero means the default and negative means none.
type Server struct {
	// Name tells the servers of a program apart. Empty means "main".
	Name string

	// Addr, Protocol, Conn, Proxy and Layer are the first endpoint of the
	// server: see [Endpoint]. Protocol and Conn are those of further ones as
	// well, where these leave them open.
	Addr     string
	Protocol Protocol
	Conn     ConnConfig
	Proxy    *ProxyProtocol
	Layer    func() Layer

	// Endpoints are further ones. An address that comes from the command line
	// takes the place of the one that stands where it stands; what comes beyond
	// the last is like that.
	Endpoints []Endpoint

	// OnConnect is called when a connection has been accepted.
	OnConnect func(c *Conn)

	// OnClose is called once, last, for each connection that OnConnect was
	// called for. err is nil when the connection ended in order.
	OnClose func(c *Conn, err error)

	// OnError is called for what went wrong in or through user code and
	// protocol: a panic (*PanicError, with the stack), a message that breaks
	// the protocol, a limit reached. c is nil where no connection is to blame.
	// A peer that goes away is no error; see OnClose. Nil logs panics, and faults
	// that are not the peer's ([Fault]).
	OnError func(c *Conn, err error)

	// OnBufferFull is called when unsent output exceeds HighWater; until
	// OnBufferDrain no further message of the connection is read.
	OnBufferFull func(c *Conn)

	// OnBufferDrain is called when it has then fallen below LowWater.
	OnBufferDrain func(c *Conn)

	// OnWorkerStart is called on the loop before anything is accepted. An
	// error ends the worker.
	OnWorkerStart func(w *Worker) error

	// OnReady is called once in each worker process, on the loop of its first
	// Worker, when connections are accepted: with the addresses as bound, so that
	// where port 0 was asked for they have the real one.
	OnReady func(addrs []net.Addr)

	// OnWorkerStop is called on the loop after the last connection.
	OnWorkerStop func(w *Worker)

	// OnReload is called on the loop when a reload reaches the worker: before
	// it drains, or, where the server is NotReloadable, instead.
	OnReload func(w *Worker)

	// NotReloadable keeps the workers, and the code that they run, through
	// reload and upgrade.
	NotReloadable bool

	// Exclusive says that no two workers of the server may live at the same
	// time: the next one starts when the last has ended, and clients wait
	// meanwhile. See [supervise.Program].
	Exclusive bool

	// Workers is the number of worker processes; zero means one a CPU, see
	// [supervise.Program].
	Workers int

	// Loops is how many event loops each worker process runs; zero means 1, and
	// LoopPerCPU one for each processor. Several processes keep faults apart;
	// several loops of one share memory: a game's world, a cache. Each is a
	// [Worker], for which OnWorkerStart, OnWorkerStop and OnReload are called, one
	// after the other, the first one first; nothing is accepted before all have
	// started. Callbacks of different loops run at the same time.
	Loops int

	// ReusePort gives each worker a listening socket of its own; otherwise
	// they share one.
	ReusePort bool

	// Backlog is the length of the accept queue. Zero means 1024.
	Backlog int

	// MaxConns is how many accepted connections a worker holds at once. Those beyond it
	// are refused: they get what the protocol says for it, if it is a Refuser,
	// and are closed. Zero means as many as the process may
	// have descriptors, less some for everything else.
	MaxConns int

	// MaxBuffered is the memory budget of a worker: how many bytes of memory all
	// its connections may hold together for what is unsent, unused, collected by
	// their protocols (see [Buffer]) or on its way from other goroutines. When it
	// is spent, those that hold much fail with ErrBudget when they want more; the
	// others do not notice. Much is more than 64 KiB of input or of output; where
	// few are connected, more than their part of a further quarter of the budget,
	// and HighWater at the most. Zero means 512 MiB.
	MaxBuffered int

	// StartTimeout and StopTimeout bound a worker's start and its draining.
	// Zero means 10 seconds.
	StartTimeout, StopTimeout time.Duration

	// MaxRequests, MaxAge and MaxRSS replace a worker process that has served
	// so many requests, is so old, or takes so many bytes of memory: it drains
	// when the next one is ready. See [supervise.Program]. Zero means no limit.
	MaxRequests int64
	MaxAge      time.Duration
	MaxRSS      int64

	// Loop is the backend: "auto" (also ""), "epoll", "goroutine". Under Main
	// the flag --loop wins, unless it is auto.
	Loop string
}

const none = time.Duration(0) // of a duration that went through timeout: no limit

func (s *Server) name() string {
	if s.Name == "" {
		return "main"
	}
	return s.Name
}

// complete returns e with what it leaves open.
func (s *Server) complete(e Endpoint) Endpoint {
	if e.Protocol == nil {
		e.Protocol = s.Protocol
	}
	if e.OnConnect == nil {
		e.OnConnect = s.OnConnect
	}
	if e.OnClose == nil {
		e.OnClose = s.OnClose
	}
	e.Conn = e.Conn.or(s.Conn)
	return e
}

// endpoints are all endpoints, complete.
func (s *Server) endpoints() (all []Endpoint) {
	if s.Addr != "" {
		all = append(all, s.complete(Endpoint{Addr: s.Addr, Proxy: s.Proxy, Layer: s.Layer}))
	}
	for _, e := range s.Endpoints {
		all = append(all, s.complete(e))
	}
	return all
}

// endpointAt is what an address is to the server that stands at place i of those
// that it listens on.
func (s *Server) endpointAt(i int, address string) Endpoint {
	all := s.endpoints()
	for j, e := range all {
		if e.Addr == address && (j == i || i >= len(all) || all[i].Addr != address) { // port 0 may be there twice
			return e
		}
	}
	e := s.complete(Endpoint{Proxy: s.Proxy, Layer: s.Layer})
	if len(all) > 0 {
		e = all[min(i, len(all)-1)]
	}
	e.Addr = address
	return e
}

func (s *Server) addrs() (all []string) {
	for _, e := range s.endpoints() {
		all = append(all, e.Addr)
	}
	return all
}

// protocols are the words for status.
func (s *Server) protocols() string {
	all := s.endpoints()
	if len(all) == 0 {
		all = []Endpoint{s.complete(Endpoint{})}
	}
	var names []string
	for _, e := range all {
		if e.Protocol != nil && !slices.Contains(names, e.Protocol.Name()) {
			names = append(names, e.Protocol.Name())
		}
	}
	if len(names) == 0 {
		return "-"
	}
	return strings.Join(names, ", ")
}

func (s *Server) maxBuffered() int { return limit(cmp.Or(s.MaxBuffered, 512<<20)) }

// otherDescriptors is how many a worker needs beside those of its connections:
// for listeners, logs and files.
const otherDescriptors = 64

// descriptors is how many a worker wants; 0 where it is as many as it may have.
func (s *Server) descriptors() int {
	if s.MaxConns <= 0 {
		return 0
	}
	return s.MaxConns + otherDescriptors
}

func (s *Server) maxConns() int {
	if s.MaxConns == 0 {
		if n := maxDescriptors(); n > 2*otherDescriptors {
			return n - otherDescriptors
		} else if n > 0 {
			return n
		}
	}
	return limit(cmp.Or(s.MaxConns, -1))
}

// timeout applies the rule of the package to a duration that is not zero, which
// would be the default: negative is none.
func timeout(d time.Duration) time.Duration { return max(d, none) }

// limit is timeout for sizes.
func limit(n int) int {
	if n < 0 {
		return math.MaxInt
	}
	return n
}
