// Package jay is a framework for long-lived network services: a master
// process supervises worker processes, each worker runs an event loop, each
// connection speaks a protocol, and user code is a few callbacks.
//
// A [Server] describes a service. [Main] runs servers under a master with the
// command line of package supervise; [Server.Serve] runs one in this process.
//
// A [Conn] belongs to its loop: use it only inside callbacks. Other goroutines
// use its [Ref].
package jay

import "time"

// Server describes one service: where it listens, what its connections speak
// and which callbacks see them. Only Handler is required. It must not be
// changed once it runs.
//
// For durations and sizes zero means the default and negative means none.
type Server struct {
	// Name tells the servers of a program apart. Empty means "main".
	Name string

	// Addr is the address to listen on: "tcp://127.0.0.1:9999",
	// "127.0.0.1:9999", "[::1]:80", "unix:///run/x.sock",
	// on Linux "unix://@name". Port 0 picks one.
	Addr string

	// Addrs are further addresses.
	Addrs []string

	// Protocol is the word for status. Empty means what Handler says of
	// itself by a method Protocol() string, or else "tcp".
	Protocol string

	// Handler speaks the protocol. It is used by every connection.
	Handler Handler

	// Filter, if set, makes the byte filter of a connection that was accepted.
	Filter func() Filter

	// OnConnect is called when a connection has been accepted. [Listener] may
	// have another for its own.
	OnConnect func(c *Conn)

	// OnClose is called once, last, for each connection that OnConnect was
	// called for. err is nil when the connection ended in order.
	OnClose func(c *Conn, err error)

	// OnError is called for what went wrong in or through user code and
	// protocol: a panic (*PanicError, with the stack), a message that breaks
	// the protocol, a limit reached. c is nil where no connection is to blame.
	// A peer that goes away is no error; see OnClose. Nil logs panics and what
	// the program did wrong, and not what peers do wrong.
	OnError func(c *Conn, err error)

	// OnBufferFull is called when unsent output exceeds HighWater; until
	// OnBufferDrain no further message of the connection is read.
	OnBufferFull func(c *Conn)

	// OnBufferDrain is called when it has then fallen below LowWater.
	OnBufferDrain func(c *Conn)

	// OnWorkerStart is called on the loop before anything is accepted. An
	// error ends the worker.
	OnWorkerStart func(w *Worker) error

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

	// ReusePort gives each worker a listening socket of its own; otherwise
	// they share one.
	ReusePort bool

	// Backlog is the length of the accept queue. Zero means 1024.
	Backlog int

	// IdleTimeout closes a connection on which nothing has come or gone for
	// this long. It rests while the handler's own deadline or a Hold is set, and
	// while output waits, for which there is WriteTimeout. Zero means 75 seconds.
	IdleTimeout time.Duration

	// ReadIdleTimeout closes a connection from which nothing has come for this
	// long, whatever is sent to it: a device that is gone, although the server's
	// messages to it keep IdleTimeout from passing. It rests while reading is
	// paused. Zero means none beside IdleTimeout.
	ReadIdleTimeout time.Duration

	// FirstByteTimeout closes a connection on which nothing has come this long
	// after it was accepted. Zero means none beside IdleTimeout.
	FirstByteTimeout time.Duration

	// Lifetime closes a connection this long after it was accepted, whatever
	// it does; for that it has CloseTimeout at most. Zero means none.
	Lifetime time.Duration

	// WriteTimeout closes a connection while output waits whose peer has
	// acknowledged none of it for this long. A slow peer that goes on reading is
	// not closed, however much the kernel holds. Where the system does not tell,
	// it is what the kernel takes that counts. Zero means 30 seconds.
	WriteTimeout time.Duration

	// CloseTimeout is how long Close waits for a peer that makes no progress: that
	// does not take the output, then does not send FIN. Less than 1 KiB for each
	// second of it is none. A peer that goes on sending instead of FIN, an upload
	// that was answered early say, has 60 times as long in all. Zero means 10
	// seconds.
	CloseTimeout time.Duration

	// MaxConns is how many accepted connections a worker holds at once. Those beyond it
	// are refused: they get what the handler's method Refuse() []byte returns,
	// if it has one, and are closed. Zero means as many as the process may
	// have descriptors, less some for everything else.
	MaxConns int

	// HighWater and LowWater are the marks of OnBufferFull and OnBufferDrain
	// in bytes. Zero means 1 MiB and a quarter of HighWater.
	HighWater, LowWater int

	// MaxOutput is how many unsent bytes a connection may hold. Zero means
	// 64 MiB.
	MaxOutput int

	// DropNewest makes a Write that would exceed MaxOutput fail and keep the
	// connection; otherwise it fails and the connection is closed. Protocols
	// drop whole messages, never a part of one: a response of HTTP that has no
	// room ends its connection.
	DropNewest bool

	// MaxInput is how many bytes Handler.Data may leave unused, and so the
	// longest message of handlers that take messages whole. Zero means 10 MiB.
	MaxInput int

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

func (s *Server) protocol() string {
	if s.Protocol != "" {
		return s.Protocol
	}
	if p, ok := s.Handler.(interface{ Protocol() string }); ok {
		return p.Protocol()
	}
	return "tcp"
}

func (s *Server) addrs() []string {
	if s.Addr == "" {
		return s.Addrs
	}
	return append([]string{s.Addr}, s.Addrs...)
}

func (s *Server) highWater() int   { return limit(s.HighWater, 1<<20) }
func (s *Server) maxOutput() int   { return limit(s.MaxOutput, 64<<20) }
func (s *Server) maxInput() int    { return limit(s.MaxInput, 10<<20) }
func (s *Server) maxBuffered() int { return limit(s.MaxBuffered, 512<<20) }

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
	return limit(s.MaxConns, limit(-1, 0))
}

func (s *Server) firstByteTimeout() time.Duration { return timeout(s.FirstByteTimeout, none) }
func (s *Server) idleTimeout() time.Duration      { return timeout(s.IdleTimeout, 75*time.Second) }
func (s *Server) readIdleTimeout() time.Duration  { return timeout(s.ReadIdleTimeout, none) }
func (s *Server) lifetime() time.Duration         { return timeout(s.Lifetime, none) }
func (s *Server) writeTimeout() time.Duration     { return timeout(s.WriteTimeout, 30*time.Second) }
func (s *Server) closeTimeout() time.Duration     { return timeout(s.CloseTimeout, 10*time.Second) }

// timeouts are the deadlines of a new connection.
func (s *Server) timeouts() timeouts {
	return timeouts{
		first: ticks(s.firstByteTimeout()),
		idle:  ticks(s.idleTimeout()),
		life:  ticks(s.lifetime()),

		readIdle: ticks(s.readIdleTimeout()),
		write:    s.writeTimeout(),
		close:    s.closeTimeout(),
	}
}

func (s *Server) lowWater() int {
	if s.LowWater > 0 {
		return s.LowWater
	}
	return s.highWater() / 4
}

// timeout applies the rule of the package: zero is the default, negative none.
func timeout(d, def time.Duration) time.Duration {
	switch {
	case d == 0:
		return def
	case d < 0:
		return none
	}
	return d
}

func limit(n, def int) int {
	const unlimited = int(^uint(0) >> 1)
	switch {
	case n == 0:
		return def
	case n < 0:
		return unlimited
	}
	return n
}
