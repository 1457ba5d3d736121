package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// callFigures are those that are counted, step by step.
var callFigures = []figure{
	{
		name:    "Calls per request",
		what:    "functions that the worker calls, from the report that a request has come to the next question of the kernel; counted by single steps, the fewest of several requests",
		servers: []server{steppedJay},
		goal:    163, unit: "calls",
		measure: callsPerRequest,
	},
}

// steppedJay is not taken for hung while all its threads stand still.
var steppedJay = server{name: jay.name, start: startJayProgram("jay", "--watchdog", "10m")}

// stepTries is how often it is tried: a thread that has to wait for another one, for
// the collector say, waits for ever while that is stopped.
const (
	stepTries = 5
	stepLimit = 30 * time.Second
)

// callsPerRequest counts what times cannot show on a machine that does other
// things meanwhile.
func callsPerRequest(ctx context.Context, b *bench, f figure, o options) (r result, err error) {
	for range stepTries {
		if r, err = countCalls(ctx, b, f, o); err == nil || ctx.Err() != nil {
			break
		}
	}
	return r, err
}

func countCalls(ctx context.Context, b *bench, f figure, o options) (result, error) {
	p, err := f.servers[0].start(ctx, b)
	if err != nil {
		return result{}, err
	}
	defer p.stop()
	conn, err := net.Dial("tcp", p.addr)
	if err != nil {
		return result{}, err
	}
	defer conn.Close()
	for range 100 {
		if _, err := exchange(conn, "/"); err != nil {
			return result{}, err
		}
	}
	runtime.LockOSThread() // as ptrace(2) knows threads
	defer runtime.UnlockOSThread()
	worker := p.server()
	late := time.AfterFunc(stepLimit, func() { _ = unix.Kill(worker, unix.SIGKILL) }) // which ends every wait
	defer late.Stop()
	s, err := stepInto(worker)
	if err != nil {
		return result{}, err
	}
	defer s.letGo()
	var counts []float64
	for range 2 * o.rounds {
		n, err := s.request(ctx, conn)
		if err != nil {
			return result{}, err
		}
		counts = append(counts, float64(n))
	}
	low, middle, high := spread(counts)
	// What a collection or a timer has the worker do beside the request only adds.
	return result{f, []value{{jay.name, low, fmt.Sprintf("%g (median %g, greatest %g)", low, middle, high)}}}, nil
}

// A stepper has all threads of a server stopped, so that Go's scheduler takes no
// notice of how long it all takes, and has one of them go on, step by step: the
// one that waits for events.
type stepper struct {
	pid     int
	threads []int
	waiting map[int]int // threads that wait for events, with the descriptor of their epoll
	loop    int         // the one of them that serves; 0: not yet known
	memory  *os.File
	kinds   map[uint64]instruction
}

// instruction is what an instruction is, as far as it matters here.
type instruction uint8

const (
	other instruction = iota + 1
	call
	systemCall
)

func stepInto(pid int) (*stepper, error) {
	s := &stepper{pid: pid, waiting: map[int]int{}, kinds: map[uint64]instruction{}}
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return nil, err
	}
	for _, task := range tasks {
		tid, err := strconv.Atoi(task.Name())
		if err == nil {
			err = s.take(tid)
		}
		if err != nil {
			s.letGo()
			return nil, fmt.Errorf("stop thread %s of the server: %w", task.Name(), err)
		}
	}
	if s.memory, err = os.Open(fmt.Sprintf("/proc/%d/mem", pid)); err != nil {
		s.letGo()
		return nil, err
	}
	return s, nil
}

// take stops a thread.
func (s *stepper) take(tid int) error {
	if err := unix.PtraceSeize(tid); err != nil {
		return err
	}
	if err := unix.PtraceInterrupt(tid); err != nil {
		return err
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(tid, &status, unix.WALL, nil); err != nil {
		return err
	}
	s.threads = append(s.threads, tid)
	var regs unix.PtraceRegs
	if err := unix.PtraceGetRegs(tid, &regs); err != nil {
		return err
	}
	if regs.Orig_rax == unix.SYS_EPOLL_PWAIT {
		s.waiting[tid] = int(regs.Rdi)
	}
	return nil
}

// find finds out which thread, of those that wait for events, has some.
func (s *stepper) find() error {
	process, err := unix.PidfdOpen(s.pid, 0)
	if err != nil {
		return os.NewSyscallError("pidfd_open", err)
	}
	defer unix.Close(process)
	for range 1000 {
		for tid, epoll := range s.waiting {
			fd, err := unix.PidfdGetfd(process, epoll, 0)
			if err != nil {
				return os.NewSyscallError("pidfd_getfd", err)
			}
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
			unix.Close(fd)
			if n == 1 && err == nil {
				s.loop = tid
				return nil
			}
		}
		time.Sleep(time.Millisecond)
	}
	return errors.New("no thread of the server has been waiting for the request")
}

// letGo has all threads run on.
func (s *stepper) letGo() {
	for _, tid := range s.threads {
		_ = unix.PtraceDetach(tid)
	}
	if s.memory != nil {
		s.memory.Close()
	}
}

// request has the server respond to a request, and counts the calls.
func (s *stepper) request(ctx context.Context, conn net.Conn) (calls int, err error) {
	if err := ask(conn, "/"); err != nil {
		return 0, err
	}
	if s.loop == 0 {
		if err := s.find(); err != nil {
			return 0, err
		}
	}
	for reported := false; ctx.Err() == nil; {
		var regs unix.PtraceRegs
		if err := unix.PtraceGetRegs(s.loop, &regs); err != nil {
			return 0, err
		}
		kind := s.kind(regs.Rip)
		asks := kind == systemCall && regs.Rax == unix.SYS_EPOLL_PWAIT
		if reported && asks {
			_, err := readAnswer(conn)
			return calls, err
		}
		if err := s.step(); err != nil {
			return 0, err
		}
		switch {
		case asks:
			if err := unix.PtraceGetRegs(s.loop, &regs); err != nil {
				return 0, err
			}
			reported = int64(regs.Rax) > 0
		case reported && kind == call:
			calls++
		}
	}
	return 0, ctx.Err()
}

// step runs one instruction.
func (s *stepper) step() error {
	if err := unix.PtraceSingleStep(s.loop); err != nil {
		return err
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(s.loop, &status, unix.WALL, nil); err != nil {
		return err
	}
	if !status.Stopped() || status.StopSignal() != unix.SIGTRAP {
		return fmt.Errorf("the server's thread has got %v", status.StopSignal())
	}
	return nil
}

// kind says what the instruction at an address is.
func (s *stepper) kind(at uint64) instruction {
	if k := s.kinds[at]; k != 0 {
		return k
	}
	var code [3]byte
	_, _ = s.memory.ReadAt(code[:], int64(at))
	s.kinds[at] = kindOf(code)
	return s.kinds[at]
}

func kindOf(code [3]byte) instruction {
	switch {
	case code[0] == 0x0f && code[1] == 0x05:
		return systemCall
	case code[0] == 0xe8: // call rel32
		return call
	}
	b := code[:]
	if b[0]&0xf0 == 0x40 { // REX
		b = b[1:]
	}
	if b[0] == 0xff && b[1]>>3&7 == 2 { // call r/m64
		return call
	}
	return other
}
