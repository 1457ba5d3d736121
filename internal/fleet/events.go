package fleet

// An Event is something that has happened, or that somebody asks for. The types
// below are all there are.
type Event interface {
	// take notes the event. What follows from it is advance's.
	take(m *Machine)
}

// What comes of workers. An event of a worker that is unknown, or that comes too
// late to matter, is ignored.
type (
	// Ready: a worker serves.
	Ready struct{ ID uint32 }

	// Exited: a worker's process has been reaped.
	Exited struct {
		PID   int
		Cause string
		Lines []string // the last of its standard error
	}

	// Replace: a worker has to make room for another of its slot. It hangs, or has
	// served its time.
	Replace struct {
		ID   uint32
		Why  string
		Hung bool // it serves nobody and cannot drain
	}

	// Recovered: a worker that hung goes on.
	Recovered struct{ ID uint32 }

	// Taken: a worker has carried out an order.
	Taken struct {
		ID    uint32
		Order int
	}

	// Undelivered: an order has not reached its worker, or not whole. An order
	// of which nothing at all is heard is lost as well.
	Undelivered struct {
		ID    uint32
		Order int
		Why   string
	}

	// Unlistened: a worker that drains accepts from none of its sockets any more.
	Unlistened struct{ ID uint32 }
)

// What comes of sockets.
type (
	// Lost: the path of a Unix socket is not its own. Why is "" when it is again.
	Lost struct {
		ID  int
		Why string
	}

	// Emptied: nobody waits any more in the backlog of a socket that has lost its path.
	Emptied struct{ ID int }
)

// What comes of program files.
type (
	// Described is the response to World.Describe.
	Described struct {
		Token   int
		File    int  // the world's handle of it, the machine's from now on; with Err there is none
		Same    bool // it is the file that runs already
		Version string
		Specs   []Spec
		Err     error
	}

	// ExecFailed: the exec of an upgrade has returned.
	ExecFailed struct{ Err error }

	// GoBack: the file that a restart has executed does not serve, and the one
	// before is to be executed when everything has ended.
	GoBack struct{}

	// TrialOver: the file on trial serves, or Err says why it does not.
	TrialOver struct{ Err error }
)

// What is asked for, and time.
type (
	// Command asks for a change.
	Command struct {
		Kind    CommandKind
		Op      string // its operation, from Machine.NewOperation; "" for signals
		Program string // scale
		Count   int    // scale
		NoLimit bool   // stop, restart: without a deadline
		Now     bool   // stop: at once
		Dump    bool   // stop: workers print their goroutines first
	}

	// Tick: the deadline that the machine asked for has come.
	Tick struct{}
)

// CommandKind is what a Command asks for.
type CommandKind string

const (
	CommandReload  CommandKind = "reload"
	CommandUpgrade CommandKind = "upgrade"
	CommandScale   CommandKind = "scale"
	CommandStop    CommandKind = "stop"
	CommandRestart CommandKind = "restart"
	CommandHold    CommandKind = "hold"
	CommandReopen  CommandKind = "reopen-logs" // an operation without a Command: the machine has no part in it
)

func (Tick) take(*Machine) {}
