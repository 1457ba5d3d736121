package sys

import (
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// Starter starts processes that have no_new_privs: no exec gives them, or what
// they start, more rights than they have. Nor do they get the ambient capabilities
// that a master needs. Both belong to a thread, for ever, and are inherited; so the
// Starter has a thread of its own, for as long as it lives: making one for each
// process would end this process where the kernel has no thread to give. Any
// goroutine may use it.
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
	if err == nil {
		err = lowerAmbient()
	}
	if err == nil {
		err = UnblockSignals() // as they are to begin
	}
	began <- err
	if err != nil {
		return
	}
	for request := range s.requests {
		request()
	}
}

// lowerAmbient takes from this thread the ambient capabilities that a master
// that is not root has for its own work: to bind low ports, to make workers
// another user's and signal them, to give them a Unix socket, to raise limits.
// Any other was given to the service for what it does.
func lowerAmbient() error {
	for _, capability := range []uintptr{
		unix.CAP_NET_BIND_SERVICE, unix.CAP_SETUID, unix.CAP_SETGID, unix.CAP_KILL, unix.CAP_CHOWN, unix.CAP_SYS_RESOURCE,
	} {
		err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_LOWER, capability, 0, 0)
		if err != nil && err != unix.EINVAL { // of a kernel before 4.3, which has none
			return os.NewSyscallError("prctl PR_CAP_AMBIENT", err)
		}
	}
	return nil
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
// where the kernel has none to give later, it would end the process. No signal is
// blocked in them, nor in processes that they start, whatever this process has
// inherited.
func SpareThreads(n int) {
	arrived, leave := make(chan struct{}), make(chan struct{})
	var waiting sync.WaitGroup
	for range n {
		waiting.Go(func() {
			runtime.LockOSThread() // so that it waits with its thread
			defer runtime.UnlockOSThread()
			UnblockSignals() // changes nothing that matters where it fails
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
