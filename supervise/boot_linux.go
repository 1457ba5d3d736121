package supervise

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jay-go/jay/internal/bytejson"
	"github.com/jay-go/jay/internal/sys"
)

// bootVariable carries the role of a process that the master, or the command
// line, has started.
const bootVariable = "JAY_BOOT"

// role says what a process of a program is.
type role string

const (
	roleNone     role = ""         // started by a user: the command line
	roleDaemon   role = "daemon"   // the master of start -d
	roleWorker   role = "worker"   // a worker
	roleDescribe role = "describe" // only says what its programs are
	roleMaster   role = "master"   // continues as the master after an exec
	roleWitness  role = "witness"  // takes the signals of a master during an exec
)

// bootInfo is what the starter of a process tells it. The descriptors are
// numbers in the new process.
type bootInfo struct {
	Role     role             `json:"role"`
	Path     string           `json:"path,omitempty"`   // the start path
	Report   int              `json:"report,omitempty"` // daemon, describe, witness: where the answer goes
	State    int              `json:"state,omitempty"`  // describe, master, witness: the state's memfd
	Back     int              `json:"back,omitempty"`   // master: the file to execute where this one cannot continue
	Failed   string           `json:"failed,omitempty"` // master: why the file that was to continue could not
	Trace    *traced          `json:"trace,omitempty"`  // witness
	Seen     witness          `json:"seen,omitzero"`    // master: who has taken its signals
	Stops    []syscall.Signal `json:"stops,omitempty"`  // master: signals that are ignored for the exec alone
	Self     int              `json:"self,omitempty"`   // the program's file, which nobody needs any more
	WorkerFD int              `json:"worker,omitempty"` // worker: a file with its role, which may be too long for a variable
	Worker   *workerRole      `json:"-"`
	Ctl      int              `json:"ctl,omitempty"`
	Board    int              `json:"board,omitempty"`
	Log      int              `json:"log,omitempty"`  // standard error once more, not blocking
	Hold     int              `json:"hold,omitempty"` // of an exclusive program: a lock that ends with the process
}

// boot is taken before main runs, so that neither user code nor what it starts
// sees the variable or inherits the descriptors. It does not change afterwards.
var boot, bootErr = takeBoot()

// bootEnviron is the environment before main could change it.
var bootEnviron []string

// bootInbox has the signals of a master that another process has made: none ends
// it before it can heed it, whatever main does first.
var bootInbox *signalInbox

func takeBoot() (bootInfo, error) {
	text, ok := os.LookupEnv(bootVariable)
	if !ok {
		return bootInfo{}, nil
	}
	os.Unsetenv(bootVariable)
	bootEnviron = os.Environ()
	var b bootInfo
	if err := bytejson.Decode([]byte(text), &b); err != nil {
		return bootInfo{}, fmt.Errorf("%s is set and is not ours: %w", bootVariable, err)
	}
	if b.Role == roleWorker || b.Role == roleDescribe {
		catch(notForWorkers...)
		sys.HeedReserved() // the master may have ignored SIGTSTP
		sys.LeaveTerminal()
	}
	if b.Self != 0 {
		sys.Close(b.Self)
	}
	if b.WorkerFD != 0 {
		var err error
		if b.Worker, err = readRole(b.WorkerFD); err != nil {
			return bootInfo{}, err
		}
	}
	fds := []int{b.Report, b.State, b.Back, b.Ctl, b.Board, b.Log, b.Hold, b.Seen.End}
	if b.Trace != nil {
		fds = append(fds, b.Trace.End)
	}
	if b.Worker != nil {
		for _, s := range b.Worker.Sockets {
			fds = append(fds, s.FD)
		}
		if b.Worker.MemoryLimit != 0 {
			os.Unsetenv("GOMEMLIMIT") // the runtime knows it; what the worker starts is not held to it
		}
	}
	for _, fd := range fds {
		if fd == 0 {
			continue
		}
		if err := sys.KeepOnExec(fd, false); err != nil {
			return bootInfo{}, fmt.Errorf("%s names descriptor %d: %w", bootVariable, fd, err)
		}
	}
	switch b.Role {
	case roleDaemon, roleMaster:
		for _, s := range b.Stops {
			sys.DefaultAction(s)
		}
		bootInbox = newSignalInbox(newTerminal())
		b.Seen.end()
	case roleWitness:
		os.Exit(beWitness(b))
	case roleWorker:
		go leaveWithMaster(b.Ctl, orphanExit)
	case roleDescribe:
		go leaveWithMaster(b.Report, 0)
	}
	// Executed as /proc/self/fd/N the process would be called N.
	os.WriteFile("/proc/self/comm", []byte(filepath.Base(os.Args[0])), 0)
	return b, nil
}

// leaveWithMaster ends the process some time after the master has closed its
// end of fd, whatever the program does, also when it never calls Main.
func leaveWithMaster(fd int, grace time.Duration) {
	if sys.AwaitHangup(fd) == nil {
		time.Sleep(grace)
		os.Exit(reportedExit)
	}
}

// environ is the environment for a process with a role.
func (b bootInfo) environ() []string { return b.with(os.Environ()) }

func (b bootInfo) with(environ []string) []string {
	text, err := bytejson.Encode(b)
	if err != nil {
		panic("supervise: encode role: " + err.Error()) // plain data always encodes
	}
	return append(environ, bootVariable+"="+string(text))
}

// writeRole gives a memfd with a worker's role.
func writeRole(role workerRole) (int, error) {
	b, err := bytejson.Encode(role)
	if err != nil {
		return -1, fmt.Errorf("role: %w", err)
	}
	fd, err := sys.Memfd("jay-role")
	if err != nil {
		return -1, err
	}
	if err := sys.WriteAt(fd, b, 0); err != nil {
		sys.Close(fd)
		return -1, fmt.Errorf("role: %w", err)
	}
	return fd, nil
}

// readRole reads what writeRole has written, and closes it.
func readRole(fd int) (*workerRole, error) {
	defer sys.Close(fd)
	b, err := io.ReadAll(io.NewSectionReader(memfd(fd), 0, maxMessage))
	if err != nil {
		return nil, fmt.Errorf("role: %w", err)
	}
	role := new(workerRole)
	if err := bytejson.Decode(b, role); err != nil {
		return nil, fmt.Errorf("role: %w", err)
	}
	return role, nil
}
