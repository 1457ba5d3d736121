package supervise

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/jay-go/jay/internal/sys"
)

// witness is the process that takes the signals of a master while that executes
// a file, as the master knows it. It is told the end by the end of a pipe.
type witness struct {
	PID int `json:"pid"`
	End int `json:"end"`
}

// traced is what a witness is told of the master.
type traced struct {
	PID    int `json:"pid"`
	Thread int `json:"thread"`
	End    int `json:"end"` // hangs up when the master has its own handlers
}

// witnessLimit bounds the waits for a witness: to begin, and to leave.
const witnessLimit = 2 * time.Second

// exec executes a file in place with info as its role, and holds the signals of
// the master meanwhile. It returns only where that failed; then they are in the
// inbox.
func (in *signalInbox) exec(path string, info bootInfo, environ []string, keep []int) error {
	runtime.LockOSThread() // the thread that executes is the one that is traced
	defer runtime.UnlockOSThread()
	keep = append(keep, info.State)
	if info.Back != 0 {
		keep = append(keep, info.Back)
	}
	// Without a witness, where the kernel allows none or somebody else traces the
	// master, the file is executed all the same.
	w, early, witnessErr := startWitness(info.State, environ)
	for tries := 0; early && tries < startsAgain; tries++ {
		w, early, witnessErr = startWitness(info.State, environ)
	}
	if witnessErr == nil {
		info.Seen = w
		keep = append(keep, w.End)
	}
	release, err := in.hold(info.State, witnessErr == nil)
	if err == nil {
		err = sys.ExecInPlace(path, os.Args, info.with(environ), keep)
	}
	w.kill()
	if release != nil {
		release()
	}
	return err
}

// startWitness has a process trace the calling thread. It reports early where a
// signal has ended that before it could take it.
func startWitness(state int, environ []string) (w witness, early bool, err error) {
	file, err := openSelf()
	if err != nil {
		return w, false, err
	}
	defer sys.Close(file)
	var pipes [4]int
	for i := 0; i < len(pipes); i += 2 {
		if pipes[i], pipes[i+1], err = sys.Pipe(); err != nil {
			closeAll(pipes[:i]...)
			return w, false, err
		}
	}
	reportR, reportW, endR, endW := pipes[0], pipes[1], pipes[2], pipes[3]
	report := os.NewFile(uintptr(reportR), "witness")
	defer report.Close()
	info := bootInfo{Role: roleWitness, Report: 3, State: 4, Trace: &traced{PID: os.Getpid(), Thread: syscall.Gettid(), End: 5}}
	p := sys.Process{Path: fdPath(file), Argv: os.Args, Env: info.with(environ), Files: []int{endR, 2, 2, reportW, state, endR}}
	pid, err := p.Start()
	closeAll(reportW, endR)
	if err != nil {
		sys.Close(endW)
		return w, false, err
	}
	w = witness{PID: pid, End: endW}
	sys.AllowWitness(pid)
	report.SetReadDeadline(time.Now().Add(witnessLimit))
	answer, err := io.ReadAll(report)
	if err == nil && string(answer) != witnessReady {
		err = errors.New(string(answer))
	}
	if err != nil {
		status := w.kill()
		return witness{}, status.Signaled() && isHeld(status.Signal()) && status.Signal() != syscall.SIGKILL, fmt.Errorf("a witness of its signals: %w", err)
	}
	return w, false, nil
}

// kill ends a witness that is not needed.
func (w witness) kill() (status syscall.WaitStatus) {
	if w.PID == 0 {
		return 0
	}
	sys.KillGroup(w.PID, syscall.SIGKILL)
	_, status, _ = sys.Reap(w.PID, true)
	sys.Close(w.End)
	sys.AllowWitness(0)
	return status
}

// end lets the witness go and waits until it has, in the new master. What it has
// taken is in the state.
func (w witness) end() {
	if w.PID == 0 {
		return
	}
	sys.Close(w.End)
	for deadline := time.Now().Add(witnessLimit); time.Now().Before(deadline); time.Sleep(100 * time.Microsecond) {
		if pid, _, err := sys.Reap(w.PID, false); pid != 0 || err != nil {
			return
		}
	}
	sys.KillGroup(w.PID, syscall.SIGKILL) // and what it traced goes on
	sys.Reap(w.PID, true)
}

// witnessReady is what a witness says when it traces.
const witnessReady = "ready"

// beWitness is the whole life of a witness; main never runs in it.
func beWitness(b bootInfo) int {
	held := newTerminal().signals()
	for _, s := range held { // whoever signals every process of the service means its master
		catch(s)
	}
	runtime.LockOSThread()
	words, err := sys.MapWords(b.State, heldWords)
	if err != nil {
		return tellWitness(b.Report, err)
	}
	w, err := sys.NewWitness(b.Trace.PID, b.Trace.Thread, func(s syscall.Signal) bool {
		if !isHeld(s) || !slices.Contains(held, s) {
			return false
		}
		words.Word(int(s)).Add(1)
		return true
	})
	if err != nil {
		return tellWitness(b.Report, err)
	}
	go func() { // to the end of the process
		sys.AwaitHangup(b.Trace.End)
		w.End()
	}()
	tellWitness(b.Report, nil)
	if err := w.Run(); err != nil {
		return exitFailed
	}
	return exitDone
}

func tellWitness(fd int, err error) int {
	f := os.NewFile(uintptr(fd), "report")
	defer f.Close()
	if err != nil {
		io.WriteString(f, err.Error())
		return exitFailed
	}
	io.WriteString(f, witnessReady)
	return exitDone
}
