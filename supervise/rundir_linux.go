package supervise

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/internal/fleet"
	"github.com/jay-go/jay/internal/logs"
	"github.com/jay-go/jay/internal/sys"
)

// runDir is the run directory of a service. Its pid file's lock is what makes
// a master the only one; its contents are for people.
type runDir struct {
	path string
	lock *os.File // the pid file, locked; nil in the command line

	socket sys.FileID // the control socket that we have made
}

const (
	pidName     = control.PIDFileName
	controlName = control.SocketName
)

// errHeld says that another master has the run directory.
type errHeld struct {
	dir  string
	pid  int
	path string // of its program; "" where that is not known
}

func (e errHeld) Error() string {
	who := "another process"
	if e.pid != 0 {
		who = "pid " + strconv.Itoa(e.pid)
	}
	what := ""
	if e.path != "" {
		what = " as " + logs.Printable(e.path, 500)
	}
	return fmt.Sprintf("run directory %s: already running (%s)%s; stop it first, or choose another --run-dir", e.dir, who, what)
}

// findRunDir makes the run directory the default one where none was named, and
// refuses one that cannot be any.
func (c *config) findRunDir() (err error) {
	if c.named = c.runDir != ""; !c.named {
		if c.runDir, err = defaultRunDir(c.prog); err != nil {
			return err
		}
	}
	if c.runDir, err = filepath.Abs(c.runDir); err != nil {
		return fmt.Errorf("run directory %s: %w", c.runDir, err)
	}
	if err := (&runDir{path: c.runDir}).fits(); err != nil && c.command != "check" { // which says it among others
		return fmt.Errorf("%w; choose a shorter --run-dir", err)
	}
	return nil
}

// maxSocketPath is what fits sockaddr_un on Linux, the terminating zero excluded.
const maxSocketPath = 107

// fits says whether the control socket's path is one that a socket can have.
func (d *runDir) fits() error {
	if n := len(d.control()); n > maxSocketPath {
		return fmt.Errorf("the control socket %s would have a path of %d bytes, at most %d fit a Unix address", d.control(), n, maxSocketPath)
	}
	return nil
}

// defaultRunDir is where a program's run directory is when nobody says.
func defaultRunDir(prog string) (string, error) {
	if os.Geteuid() == 0 {
		return filepath.Join("/run/jay", prog), nil
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "jay", prog), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", errors.New("run directory: neither XDG_RUNTIME_DIR nor HOME is set; write --run-dir DIR")
	}
	return filepath.Join(home, ".local/state/jay", prog), nil
}

// firstRunDir is openRunDir for who starts a service. Whatever the caller's umask is,
// what is made has modes that its owner can use; from then on it is the service's.
func firstRunDir(path string) (*runDir, error) {
	syscall.Umask(0o022)
	defer syscall.Umask(processMask)
	return openRunDir(path)
}

// openRunDir makes the directory where it does not exist, and refuses one that
// somebody else could write to.
func openRunDir(path string) (*runDir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("run directory %s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("run directory: %w", err)
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("run directory: %w", err)
	}
	fi, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("run directory: %w", err)
	}
	st := fi.Sys().(*syscall.Stat_t)
	switch {
	case !fi.IsDir():
		return nil, fmt.Errorf("run directory %s: it is not a directory", path)
	case int(st.Uid) != os.Geteuid():
		return nil, fmt.Errorf("run directory %s: it belongs to uid %d, not to us (%d); choose another --run-dir", path, st.Uid, os.Geteuid())
	}
	if fi.Mode().Perm() != 0o700 {
		if err := os.Chmod(path, 0o700); err != nil {
			return nil, fmt.Errorf("run directory: %w", err)
		}
	}
	return &runDir{path: path}, nil
}

func (d *runDir) pidFile() string { return filepath.Join(d.path, pidName) }
func (d *runDir) control() string { return filepath.Join(d.path, controlName) }

// take locks the pid file for the life of this process and writes our number.
func (d *runDir) take() error {
	f, err := os.OpenFile(d.pidFile(), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("pid file: %w", err)
	}
	err = onFD(f, sys.TryLock)
	for range 20 { // somebody who only looks has it for a moment
		if !errors.Is(err, sys.ErrLocked) || sys.LockHolder(d.pidFile()) != 0 {
			break
		}
		time.Sleep(5 * time.Millisecond)
		err = onFD(f, sys.TryLock)
	}
	if errors.Is(err, sys.ErrLocked) {
		f.Close()
		return errHeld{dir: d.path, pid: d.holder()}
	}
	if err == nil {
		err = writePID(f)
	}
	if err != nil {
		f.Close()
		return fmt.Errorf("pid file %s: %w", d.pidFile(), err)
	}
	d.lock = f
	return nil
}

// hold takes a lock that one process of an exclusive program at a time can have,
// whatever master has started it, and gives the descriptor that this hangs on.
// Only the master of the run directory calls it.
func (d *runDir) hold(program string) (fd int, err error) {
	err = onFD(d.lock, func(lock int) (err error) {
		fd, err = sys.HoldPart(lock, programKey(program)&math.MaxInt32)
		return err
	})
	if errors.Is(err, sys.ErrLocked) {
		return -1, &heldProgram{program}
	}
	return fd, err
}

// heldProgram says that a worker of an exclusive program still lives.
type heldProgram struct{ name string }

func (e *heldProgram) Error() string {
	return fmt.Sprintf("program %s is exclusive, and a worker that an earlier master has started still lives", e.name)
}

// free reports as an error that a worker of an exclusive program still lives.
func (d *runDir) free(specs []fleet.Spec) error {
	for _, spec := range specs {
		if !spec.Exclusive {
			continue
		}
		fd, err := d.hold(spec.Name)
		if err != nil {
			return err
		}
		sys.Close(fd)
	}
	return nil
}

func writePID(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// holder is the process that has the lock, 0 where nobody has it, or nobody
// that we can see. A number in the file alone proves nothing.
func (d *runDir) holder() int {
	for range 50 { // whoever has just taken the lock is about to write
		if !d.held() {
			return 0
		}
		if pid := sys.LockHolder(d.pidFile()); pid != 0 {
			return pid
		}
		b, _ := os.ReadFile(d.pidFile()) // empty is what we wait out
		if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && pid > 0 {
			return pid
		}
		time.Sleep(10 * time.Millisecond)
	}
	return 0
}

// held reports whether a master lives, as far as we may look.
func (d *runDir) held() bool {
	held, _ := d.look()
	return held
}

// look is held with the error of not being allowed to look.
func (d *runDir) look() (held bool, err error) { return control.Held(d.path) }

// listen makes the control socket. The lock is ours, so one that is there and
// that nobody listens on is an earlier master's. Anything else is somebody's.
func (d *runDir) listen() (fd int, err error) {
	if err := sys.UnlinkStale(d.control()); err != nil {
		return -1, fmt.Errorf("control socket %s: %w", d.control(), err)
	}
	fd, err = sys.ListenSocket("unix", d.control(), sys.ListenOptions{Backlog: 128, Mode: 0o600, UID: -1, GID: -1})
	if err != nil {
		return -1, fmt.Errorf("control socket %s: %w", d.control(), err)
	}
	d.socket = sys.FileAt(d.control())
	return fd, nil
}

// lost says what of the directory has been removed or replaced by somebody
// (a cleaner of temporary files, say) since it was taken: the pid file, which
// keeps a second master away, and the control socket.
func (d *runDir) lost() (lock, control bool) {
	ours, err := d.lock.Stat()
	there, errThere := os.Lstat(d.pidFile())
	lock = err != nil || errThere != nil || !os.SameFile(ours, there)
	return lock, sys.FileAt(d.control()) != d.socket
}

// restored is what restore has made again.
type restored struct {
	lost    bool     // something was
	lock    *os.File // nil: the pid file was there
	control int      // the control socket; -1: it was there
	socket  sys.FileID
	err     error
}

// restore makes again what is lost of the directory. It fails where another master
// was quicker.
func (d *runDir) restore() restored {
	r := restored{control: -1}
	lock, control := d.lost()
	r.lost = lock || control
	if lock {
		again, err := openRunDir(d.path)
		if err == nil {
			err = again.take()
		}
		if err != nil {
			r.err = err
			return r
		}
		r.lock = again.lock
	}
	if control {
		if r.control, r.err = d.listen(); r.err != nil {
			r.control = -1
		}
		r.socket = d.socket
	}
	return r
}

// release makes the directory look like nobody's. The lock ends with the
// process, so that whoever waits for it finds no process either.
func (d *runDir) release() {
	d.removeControl()
	d.lock.Truncate(0)
}

// removeControl removes the control socket, unless it is another one by now.
func (d *runDir) removeControl() { _ = sys.RemoveFile(d.control(), d.socket) }

// onFD calls fn with the number of an open file.
func onFD(f *os.File, fn func(int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var result error
	if err := raw.Control(func(fd uintptr) { result = fn(int(fd)) }); err != nil {
		return err
	}
	return result
}
