package sys

import (
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// Starter starts processes that have no_new_privs: no exec gives them, or what
// they start, more rights than they have. The attribute belongs to a thread,
// for ever, and is inherited; so the Starter has a thread of its own, for as
// long as it lives: making one for each process would end this process where the
// kernel has no thread to give. Any goroutine may use it.
type Starter struct {
	requests chan func()
	done     chan struct{}
}

// NewStarter makes the thread.
func NewStarter() (*Starter, error) {
	s := &Starter{requests: make(chan func()), done: make(chan struct{})}
	began := make(chan error, 1)
	go s.run(began)
	if err := <-began; err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Starter) run(began chan<- error) {
	defer close(s.done)
	runtime.LockOSThread() // for ever: the thread ends with the goroutine
	err := os.NewSyscallError("prctl PR_SET_NO_NEW_PRIVS", unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	began <- err
	if err != nil {
		return
	}
	for request := range s.requests {
		request()
	}
}

// Start is p.Start on the thread.
func (s *Starter) Start(p *Process) (pid int, err error) {
	done := make(chan struct{})
	s.requests <- func() {
		pid, err = p.Start()
		close(done)
	}
	<-done
	return pid, err
}

// Close ends the thread. Start must not be called any more.
func (s *Starter) Close() {
	close(s.requests)
	<-s.done
}

// SpareThreads makes n threads that the Go runtime keeps for when it wants one:
// where the kernel has none to give later, it would end the process.
func SpareThreads(n int) {
	arrived, leave := make(chan struct{}), make(chan struct{})
	var waiting sync.WaitGroup
	for range n {
		waiting.Go(func() {
			runtime.LockOSThread() // so that it waits with its thread
			defer runtime.UnlockOSThread()
			arrived <- struct{}{}
			<-leave
		})
	}
	for range n {
		<-arrived
	}
	close(leave)
	waiting.Wait()
}
