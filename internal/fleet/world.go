package fleet

import (
	"log/slog"
	"time"
)

// A World is what a Machine acts on. Every call returns at once; what takes
// time comes back as an event. It is called by the goroutine that calls the
// machine, and calls the machine back only from there.
//
// What is passed by pointer is the machine's: a world reads it, and writes only
// the fields that say so.
type World interface {
	Now() Instant

	// Start makes a worker process, with sockets named as its program names them.
	// The machine fills in everything but the PID. Ready or Exited follows.
	Start(w *Worker, b *Build, sockets []*Socket) (pid int, err error)
	// Kill sends SIGKILL to the process group of a worker that has not been reaped.
	Kill(w *Worker)

	// The next three are orders. Each has a number, and is followed by Taken or
	// Undelivered with it, or, where it or its acknowledgement is lost, by nothing.

	// Drain tells a worker to go, or how it is to go from now on.
	Drain(w *Worker, order int, d Drain)
	// Reload tells a worker that stays that a reload has passed.
	Reload(w *Worker, order int)
	// GiveSockets tells a worker the whole set of its sockets, as its program names
	// them. It may lack those that are added.
	GiveSockets(w *Worker, order int, all, added []*Socket)

	// Open binds a socket for an address of a program, or takes one that the service
	// manager has given. The machine fills in Key.
	Open(spec *Spec, key SocketKey, reusePort bool) (*Socket, error)
	// SetBacklog changes the length of an open socket's backlog.
	SetBacklog(s *Socket, backlog int)
	// Share lets further sockets bind the address of an open one.
	Share(id int) error
	// Refuse lets nobody new into a socket's backlog. Who waits there can still be
	// accepted.
	Refuse(s *Socket)
	// Admit takes Refuse back, and reports whether that was possible.
	Admit(s *Socket) bool
	// Close ends a socket for whoever has a descriptor of it, unless it was given.
	Close(s *Socket)

	// Describe asks the file at the start path what it is; Described follows with the
	// token. For an upgrade the file also has to decode the state, and for a restart
	// nothing may keep it from starting.
	Describe(token int, kind CommandKind)
	// CloseBuild lets go of a program file that nothing runs any more.
	CloseBuild(b *Build)

	// Jitter spreads a delay.
	Jitter(time.Duration) time.Duration

	// Log, Exited and Reloaded tell others what has happened: a line of the log, a
	// worker that has ended, a reload or an upgrade that is done.
	Log(level slog.Level, text string, args ...any)
	Exited(Exit)
	Reloaded()
}

// Drain says how a worker is to go.
type Drain struct {
	Reason Reason
	Limit  time.Duration // until it is killed; negative: none
	Dump   bool          // it prints its goroutines first
	Ending []int         // of its sockets those that nobody accepts from afterwards
}

// Reason says why a worker has to go.
type Reason string

const (
	ReasonStop    Reason = "stop"    // the whole service stops
	ReasonReload  Reason = "reload"  // another worker serves in its place
	ReasonScale   Reason = "scale"   // fewer workers are wanted
	ReasonReplace Reason = "replace" // its program is exclusive: the next worker waits for its end
)

// Exit tells of a worker that has ended.
type Exit struct {
	Program    string
	Slot       int
	PID        int
	Generation int
	Cause      string   // in words
	Planned    bool     // it drained because it was told to
	LastLines  []string // of its standard error
}
