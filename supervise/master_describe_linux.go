package supervise

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/jay-go/jay/internal/bytejson"
	"github.com/jay-go/jay/internal/fleet"
	"github.com/jay-go/jay/internal/logs"
	"github.com/jay-go/jay/internal/sys"
)

// maxDescription bounds what a file says of itself, nearly all of which is its
// addresses.
const maxDescription = maxMessage + 1<<20

// description is what a program file says of itself.
type description struct {
	Version int          `json:"version"` // of this structure
	Program string       `json:"program"` // version of the program
	Specs   []fleet.Spec `json:"specs"`
	State   bool         `json:"state"` // it could continue from the state that it was given
	Error   string       `json:"error,omitempty"`

	// How its master would run, as flags, environment and options say.
	RunDir  string `json:"run_dir"` // "": the default
	LogFile string `json:"log_file"`
	User    string `json:"user"`
	Group   string `json:"group"`
}

const descriptionVersion = 1

// describing is a process that was asked what it is.
type describing struct {
	token   int
	pid     int
	file    int
	same    bool
	kind    fleet.CommandKind
	output  *logs.Capture
	expired bool
	status  syscall.WaitStatus
	again   int // how often it was started again, as it had ended early
}

// describe opens the file at the start path and runs it in the role that only
// says what its programs are: on descriptors of its own, as the workers' user,
// with a deadline.
func (m *master) Describe(token int, kind fleet.CommandKind) {
	m.local = append(m.local, m.watchPaths) // the new code is not to inherit what nobody finds
	opened := false
	fail := func(err error) {
		m.step(fleet.Described{Token: token, Err: fmt.Errorf("new file %s: %w", m.path, scarce(err))})
	}
	go func() { // a file may make wait: its file system may be somebody's who does not answer
		file, err := openProgram(m.path)
		m.events <- func() {
			switch {
			case opened || err == nil && m.machine.Phase != fleet.PhaseRunning: // nobody wants it any more
				closeAll(file)
				return
			case err == nil:
				err = m.beginDescribe(token, kind, file, 0)
			}
			if opened = true; err != nil {
				fail(err)
			}
		}
	}()
	m.after(m.c.describe, func() {
		if !opened {
			opened = true
			fail(fmt.Errorf("it cannot be opened within %v", m.c.describe))
		}
	})
}

func (m *master) beginDescribe(token int, kind fleet.CommandKind, file, again int) error {
	resultR, resultW, err := sys.Pipe()
	if err != nil {
		sys.Close(file)
		return err
	}
	defer sys.Close(resultW)
	outR, outW, err := sys.Pipe()
	if err != nil {
		closeAll(file, resultR)
		return err
	}
	defer sys.Close(outW)
	files := []int{m.null, outW, outW, resultW}
	info := bootInfo{Role: roleDescribe, Report: 3, Path: m.path}
	if kind != fleet.CommandReload {
		state, err := writeState(m.save(kind == fleet.CommandRestart))
		if err != nil {
			closeAll(file, resultR, outR)
			return err
		}
		defer sys.Close(state)
		files, info.State = append(files, state), 4
	}
	pid, err := m.spawn(file, files, info, os.Environ())
	if err != nil {
		closeAll(file, resultR, outR)
		return err
	}
	d := &describing{token: token, pid: pid, file: file, same: m.sameFile(file), kind: kind, again: again}
	d.output = logs.NewCapture(outR, nil, func(line string) {
		m.sink.Write(logs.OutputLine(m.c.logFormat, "describe", 0, pid, "stderr", line))
	})
	m.describes = append(m.describes, d)
	m.readers.Go(func() {
		f := os.NewFile(uintptr(resultR), "description")
		defer f.Close()
		f.SetReadDeadline(time.Now().Add(m.c.describe))
		b, err := io.ReadAll(io.LimitReader(f, maxDescription))
		hosts := hostsOf(b)
		m.events <- func() { m.stopDescribe(d, b, hosts, err) }
	})
	return nil
}

// describeEnd is how long the end of a process that was killed is waited for; the
// kernel may hold one that waits for a disk.
const describeEnd = 2 * time.Second

// stopDescribe ends the process, and goes on when it has ended, or when that
// takes too long.
func (m *master) stopDescribe(d *describing, b []byte, hosts hostBook, readErr error) {
	over := false
	end := func() {
		if !over {
			over = true
			m.hosts.add(hosts)
			m.endDescribe(d, b, readErr)
		}
	}
	sys.KillGroup(d.pid, syscall.SIGKILL)
	go func() {
		sys.Ended(d.pid, true) // or somebody has reaped it
		m.events <- func() {
			if _, ended, err := sys.Ended(d.pid, false); ended && err == nil {
				d.status, _ = m.bury(d.pid)
			}
			end()
		}
	}()
	m.after(describeEnd, end)
}

// sameFile reports whether a file is the one that the present generation runs.
func (m *master) sameFile(file int) bool {
	if len(m.machine.Programs) == 0 {
		return false
	}
	return sameContents(m.machine.Build(m.machine.Programs[len(m.machine.Programs)-1].Build).File, file)
}

// sameContents reports whether two open files are one that has not been changed.
func sameContents(before, file int) bool {
	var old, now syscall.Stat_t
	if syscall.Fstat(before, &old) != nil || syscall.Fstat(file, &now) != nil {
		return false
	}
	return old.Dev == now.Dev && old.Ino == now.Ino && old.Size == now.Size && old.Mtim == now.Mtim
}

// endDescribe takes the answer, or what came instead.
func (m *master) endDescribe(d *describing, b []byte, readErr error) {
	d.expired = isTimeout(readErr)
	d.output.Finish()
	m.describes = slices.DeleteFunc(m.describes, func(other *describing) bool { return other == d })
	ev := fleet.Described{Token: d.token, File: d.file, Same: d.same}
	ended := ""
	if len(b) == 0 && endedEarly(d.status) && d.again < startsAgain && m.machine.Phase == fleet.PhaseRunning {
		if err := m.beginDescribe(d.token, d.kind, d.file, d.again+1); err != nil {
			ev.Err = fmt.Errorf("new file %s: %w", m.path, scarce(err))
			m.step(ev)
		}
		return
	}
	if len(b) == 0 {
		ended = causeOf(d.status, m.kills.verdict(d.status, m.group), d.output)
	}
	desc, err := d.judge(b, m.c.describe, ended)
	if err == nil && d.kind != fleet.CommandReload {
		err = m.inThisRunDir(desc)
	}
	if err == nil && d.kind == fleet.CommandRestart {
		m.tryStart(ev, desc)
		return
	}
	m.described(ev, desc, err)
}

// described gives the machine a description, or the reason that there is none.
func (m *master) described(ev fleet.Described, desc description, err error) {
	if err != nil {
		sys.Close(ev.File)
		ev.Err = fmt.Errorf("new file %s: %w", m.path, err)
	} else {
		ev.Version, ev.Specs = desc.Program, desc.Specs
	}
	m.step(ev)
}

// judge decides whether an answer is one to go on with. ended says how the
// process ended instead of answering.
func (d *describing) judge(b []byte, limit time.Duration, ended string) (description, error) {
	var desc description
	switch {
	case len(b) == 0 && d.expired:
		return desc, fmt.Errorf("it did not say within %v what its programs are", limit)
	case len(b) == 0:
		return desc, fmt.Errorf("it ended instead of saying what its programs are: %s", ended)
	}
	if err := bytejson.Decode(b, &desc); err != nil {
		return desc, fmt.Errorf("what it says of its programs cannot be read: %w", err)
	}
	switch {
	case desc.Version != descriptionVersion:
		return desc, fmt.Errorf("it describes itself in version %d, this master reads %d", desc.Version, descriptionVersion)
	case desc.Error != "":
		return desc, fmt.Errorf("%s", logs.Printable(desc.Error, 500))
	case len(desc.Specs) == 0:
		return desc, fmt.Errorf("it has no programs")
	case d.kind != fleet.CommandReload && !desc.State:
		return desc, fmt.Errorf("it cannot continue from the state of this master")
	}
	return desc, nil
}

// openProgram opens a program file.
func openProgram(path string) (int, error) {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	var st syscall.Stat_t
	err = syscall.Fstat(fd, &st)
	switch {
	case err != nil:
	case st.Mode&syscall.S_IFMT != syscall.S_IFREG:
		err = fmt.Errorf("it is not a regular file")
	case st.Mode&0o111 == 0:
		err = fmt.Errorf("it is not executable (mode %#o)", st.Mode&0o7777)
	}
	if err != nil {
		sys.Close(fd)
		return -1, err
	}
	return fd, nil
}

// openSelf opens the program that this process runs.
func openSelf() (int, error) {
	fd, err := openProgram("/proc/self/exe")
	if errors.Is(err, syscall.EACCES) {
		return -1, fmt.Errorf("open the program file: %w: the master executes workers from what it has open; chmod a+r the file", err)
	}
	if err != nil {
		return -1, fmt.Errorf("open /proc/self/exe: %w", err)
	}
	return fd, nil
}

func fdPath(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
