package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Cores: the server has one to itself, whatever loads it has the other; or both
// have both, where a server is to have two.
const (
	clientCore = "0"
	serverCore = "1"
	bothCores  = "0,1"
)

// A process is a server under measurement: a leader, which may have workers
// as children, in a process group of its own.
type process struct {
	addr   string
	cmd    *exec.Cmd
	waited chan error // closed by the goroutine that waits, after the result
}

// startPinned runs a command on the server's core.
func startPinned(ctx context.Context, stdout io.Writer, argv ...string) (*process, error) {
	return startOn(ctx, serverCore, stdout, argv...)
}

func startOn(ctx context.Context, cores string, stdout io.Writer, argv ...string) (*process, error) {
	cmd := exec.CommandContext(ctx, "taskset", append([]string{"-c", cores}, argv...)...)
	cmd.Stdout, cmd.Stderr = stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", strings.Join(argv, " "), err)
	}
	p := &process{cmd: cmd, waited: make(chan error, 1)}
	go func() {
		p.waited <- cmd.Wait()
		close(p.waited)
	}()
	return p, nil
}

// startTelling runs a command that prints "listening ADDR" when it does.
func startTelling(ctx context.Context, argv ...string) (*process, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	p, err := startPinned(ctx, w, argv...)
	w.Close()
	if err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(r).ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "listening ")
	if !ok {
		p.stop()
		return nil, fmt.Errorf("start %s: it printed %q, want its address (%w)", argv[0], line, err)
	}
	p.addr = addr
	return p, nil
}

// dialSoon waits for a server that does not say when it listens.
func dialSoon(addr string) (conn net.Conn, err error) {
	for range 500 {
		if conn, err = net.Dial("tcp", addr); err == nil {
			return conn, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil, err
}

// freeAddr is for servers that cannot say which port they got.
func freeAddr() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}

// startAt starts a server that was told its address.
func startAt(ctx context.Context, addr string, argv ...string) (*process, error) {
	p, err := startPinned(ctx, os.Stderr, argv...)
	if err == nil {
		p.addr = addr
	}
	return p, err
}

// startAccepting is startAt that returns when connections are accepted.
func startAccepting(ctx context.Context, addr string, argv ...string) (*process, error) {
	p, err := startAt(ctx, addr, argv...)
	if err != nil {
		return nil, err
	}
	conn, err := dialSoon(addr)
	if err != nil {
		p.stop()
		return nil, err
	}
	return p, conn.Close()
}

// stop ends the process group and waits for its leader.
func (p *process) stop() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.waited:
	case <-time.After(15 * time.Second):
	}
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // ESRCH where nothing is left
	<-p.waited
}

// cpu is the time that the process and its children have used so far, from
// the kernel's CPU clocks of the processes: nanoseconds, not ticks.
func (p *process) cpu() (time.Duration, error) {
	var sum time.Duration
	for _, pid := range tree(p.cmd.Process.Pid) {
		used, err := cpuOf(pid)
		if err != nil {
			return 0, err
		}
		sum += used
	}
	return sum, nil
}

// cpuOf is the time that one process has used so far.
func cpuOf(pid int) (time.Duration, error) {
	const schedClock = 2 // CPUCLOCK_SCHED of linux/posix-timers.h
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|schedClock), &ts); err != nil {
		return 0, fmt.Errorf("CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// server is the process that holds the connections: the youngest of the tree.
func (p *process) server() int {
	pids := tree(p.cmd.Process.Pid)
	return pids[len(pids)-1]
}

// tree lists a process and its descendants, elders first.
func tree(pid int) []int {
	pids := []int{pid}
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, task := range tasks {
		children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, task.Name()))
		for _, child := range strings.Fields(string(children)) {
			if n, err := strconv.Atoi(child); err == nil {
				pids = append(pids, tree(n)...)
			}
		}
	}
	return pids
}

// anonymous is the RssAnon of a process in bytes.
func anonymous(pid int) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		var kb float64
		if n, _ := fmt.Sscanf(line, "RssAnon: %f kB", &kb); n == 1 {
			return kb * 1024, nil
		}
	}
	return 0, errors.New("no RssAnon in /proc/PID/status")
}
