package supervise

import "time"

// Options are a whole service: its programs and how the master runs them. The
// zero value of every field works; the command line and JAY_… variables win
// over the fields.
type Options struct {
	Programs []Program

	// Version is printed by the version command and in status; empty means
	// what the build information says.
	Version string

	// Loop resolves the --loop flag ("" when it is not given) to the name of
	// what will be used, or says why it cannot be. Nil means that the program
	// has no loop to choose, and --loop is wrong usage.
	Loop func(requested string) (name string, err error)

	// Extensions are what packages add to the service: flags, commands, programs.
	// Flags of package flag's CommandLine are accepted in any case.
	Extensions []Extension

	// RunDir holds the lock, the pid file, the control socket and the daemon's
	// log. Empty means /run/jay/PROG for root, otherwise a directory of the user's.
	RunDir string

	// LogFile gets the log; empty means standard error in the foreground and
	// RunDir/PROG.log for a daemon. A new file has mode 0640. A symbolic link is
	// followed only in /dev. A FIFO or a device is never put aside.
	LogFile string

	// LogFormat is "text", which is the default, or "json".
	LogFormat string

	// LogLevel is "debug", "info", which is the default, "warn" or "error".
	LogLevel string

	// LogFileMaxSize is how many bytes the log's file may have. Before it has
	// more, it is put aside as NAME-TIME-size.EXT and a new one begun. Zero
	// means 100 MiB; negative means no limit.
	LogFileMaxSize int64

	// LogFileMaxAge is how old the log's file may be; then it is put aside as
	// NAME-TIME-age.EXT. Zero means 7 days; negative means no limit.
	LogFileMaxAge time.Duration

	// LogFileBackups is how many files that were put aside are kept, the newest
	// ones. Zero means 10; negative means no limit.
	LogFileBackups int

	// LogFileBackupAge is how long such a file is kept, in days that have begun;
	// those beyond it go when the next is put aside. Zero means 90 days; negative
	// means no limit.
	LogFileBackupAge time.Duration

	// User and Group are whom the workers run as; empty means the master's own.
	User, Group string

	// MemoryLimit is how many bytes all processes together may take. The workers
	// share it, less a tenth and at least 32 MiB for the master and the kernel:
	// each gets its part as GOMEMLIMIT. Zero means the limit of the control
	// group, where it has one; negative means that workers get no GOMEMLIMIT.
	// One that is in the environment stays as it is.
	MemoryLimit int64

	// CoreDumps lets crashing workers leave core files, as large as the hard
	// limit allows (ulimit -Hc) and where kernel.core_pattern says: a panic ends
	// in SIGABRT then. They have the memory of the process in them, so there are
	// none otherwise.
	CoreDumps bool

	// Watchdog is how long a callback may block a worker's loop, or its process
	// be stopped, before the worker is replaced: all its goroutines go to the
	// log, another worker starts in its slot, and it is killed when that is
	// ready. Zero means 10 seconds; negative means no limit.
	Watchdog time.Duration

	// BlockWarning is how long a callback may block a worker's loop before the
	// log says so, with the callback's stack. Zero means a second; negative
	// means never.
	BlockWarning time.Duration

	// OnMasterReload runs in the master when a reload has succeeded.
	OnMasterReload func()

	// OnMasterStop runs in the master when all workers have gone.
	OnMasterStop func()

	// OnWorkerExit runs in the master, on a goroutine of its own, when a worker
	// has ended. Exits come in order.
	OnWorkerExit func(WorkerExit)
}

// WorkerExit tells of a worker that has ended.
type WorkerExit struct {
	Program    string
	Slot       int
	PID        int
	Generation int
	Cause      string   // in words: "exit 2: panic: index out of range"
	Planned    bool     // it drained because it was told to
	LastLines  []string // of its standard error
}

// Main runs programs under the command line of the package and exits the
// process: it is the whole main function of a service.
func Main(programs ...Program) { (&Options{Programs: programs}).Main() }

const (
	defaultLogSize      = 100 << 20
	defaultLogAge       = 7 * 24 * time.Hour
	defaultLogBackups   = 10
	defaultBackupAge    = 90 * 24 * time.Hour
	defaultWatchdog     = 10 * time.Second
	defaultBlockWarning = time.Second
)
