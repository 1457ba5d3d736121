package supervise

import (
	"os"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/jay-go/jay/internal/sys"
)

// masterSignals mean something to a master. The first three are stop signals.
var masterSignals = []syscall.Signal{
	syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGCHLD, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH,
}

// signals are those that mean something to a master started there.
func (t terminal) signals() []syscall.Signal {
	return append(slices.Clone(masterSignals), t.jobSignals()...)
}

// isHeld reports whether a signal of a master waits for the next master during an exec. Whoever
// begins as a master looks after its children in any case.
func isHeld(s syscall.Signal) bool { return s != syscall.SIGCHLD }

func isStop(s syscall.Signal) bool { return slices.Contains(masterSignals[:3], s) }

// signalInbox is where the signals of a master wait until the owner takes them.
// The runtime drops a signal that does not fit the channel it is given, so each
// has a channel of its own and a goroutine that empties it: what comes often
// does not crowd out what comes once.
type signalInbox struct {
	wake chan struct{} // has room for one: something waits
	stop chan struct{} // closed when a stop signal has come

	mu      sync.Mutex
	waiting [maxSignal + 1]int // guarded by mu; how often each has come

	signals  []syscall.Signal // those that come here
	channels []chan os.Signal // of the owner
	readers  sync.WaitGroup
}

const maxSignal = 64

// newSignalInbox directs the signals of a master to an inbox. What was sent before
// and is blocked since is in it too.
func newSignalInbox(t terminal) *signalInbox {
	in := &signalInbox{signals: t.signals(), wake: make(chan struct{}, 1), stop: make(chan struct{})}
	catch(syscall.SIGPIPE)
	// The runtime unblocks these before it has a handler for them.
	early := new(atomic.Int64)
	restore, err := sys.NoteSignals(early, t.jobSignals()...)
	in.attach()
	if err == nil {
		restore()
		in.addBits(early.Swap(0))
	}
	return in
}

// attach has the runtime send signals to the inbox.
func (in *signalInbox) attach() {
	for _, s := range in.signals {
		ch := make(chan os.Signal, 16)
		in.channels = append(in.channels, ch)
		in.readers.Go(func() {
			for range ch {
				in.add(s, 1)
			}
		})
		signal.Notify(ch, s)
	}
}

// detach ends that. What the runtime had taken is in the inbox afterwards.
func (in *signalInbox) detach() {
	for _, ch := range in.channels {
		signal.Stop(ch) // returns when nothing is under way to it
		close(ch)
	}
	in.channels = nil
	in.readers.Wait()
}

// add puts a signal into the inbox n times.
func (in *signalInbox) add(s syscall.Signal, n int) {
	if n <= 0 || s <= 0 || s > maxSignal {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.waiting[s] += n
	if isStop(s) {
		select {
		case <-in.stop:
		default:
			close(in.stop)
		}
	}
	select {
	case in.wake <- struct{}{}:
	default: // the owner will come in any case
	}
}

// take empties the inbox; stop signals are first.
func (in *signalInbox) take() (signals []syscall.Signal) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, s := range in.signals {
		for ; in.waiting[s] > 0; in.waiting[s]-- {
			signals = append(signals, s)
		}
	}
	return signals
}

// The first words of the file of a state are signals: those that came while one
// master executed the next.
const (
	heldBits    = 0 // bit n: signal n has come
	heldWords   = maxSignal + 1
	stateHeader = 8 * heldWords // bytes before the state itself
)

// hold has every signal that comes, and those in the inbox, wait in the file of
// a state for whoever continues from it: nothing that is sent from here on until
// that master has an inbox is lost, or ends it. release takes back what has come
// where the exec has failed.
//
// What is sent before the exec has ended all other threads is noted by whatever
// thread takes it. From then on a witness takes it. Where there is none this
// thread blocks it, which is the only one then; that has two faults: the next
// program begins with everything blocked, and Go's runtime unblocks some of it too
// early.
func (in *signalInbox) hold(file int, witnessed bool) (release func(), err error) {
	words, err := sys.MapWords(file, heldWords)
	if err != nil {
		return nil, err
	}
	unblock := func() {}
	if !witnessed {
		if unblock, err = sys.BlockSignals(); err != nil {
			words.Unmap()
			return nil, err
		}
	}
	noted := slices.DeleteFunc(slices.Clone(in.signals), func(s syscall.Signal) bool { return !isHeld(s) })
	restore, err := sys.NoteSignals(words.Word(heldBits), noted...)
	if err != nil {
		unblock()
		words.Unmap()
		return nil, err
	}
	in.detach()
	signal.Ignore(syscall.SIGPIPE)                  // means nothing to a master, and would end the next program before it can say so
	sys.NoteSignals(words.Word(heldBits), noted...) // what was ignored at the start is ignored by detach
	for _, s := range noted {
		in.mu.Lock()
		words.Word(int(s)).Add(int64(in.waiting[s]))
		in.waiting[s] = 0
		in.mu.Unlock()
	}
	return func() {
		catch(syscall.SIGPIPE)
		in.attach()
		restore()
		unblock()
		in.takeHeld(words)
		in.add(syscall.SIGCHLD, 1) // it was held by nobody
	}, nil
}

// addBits puts the signals into the inbox whose bits are set.
func (in *signalInbox) addBits(bits int64) {
	for s := syscall.Signal(1); s < maxSignal; s++ {
		in.add(s, int(bits>>s&1))
	}
}

// resume takes what hold of another master, or of ours, has put into a state.
func (in *signalInbox) resume(file int) error {
	words, err := sys.MapWords(file, heldWords)
	if err != nil {
		return err
	}
	in.takeHeld(words)
	return words.Unmap()
}

func (in *signalInbox) takeHeld(words *sys.SharedWords) {
	in.addBits(words.Word(heldBits).Swap(0))
	for s := 1; s <= maxSignal; s++ {
		in.add(syscall.Signal(s), int(words.Word(s).Swap(0)))
	}
}

// notForWorkers are signals that mean something to a master, or end what writes
// to a closed pipe, and that workers, and processes that describe a file, may get as
// well: where somebody sends them to every process of the service.
var notForWorkers = []os.Signal{syscall.SIGHUP, syscall.SIGPIPE, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTTIN, syscall.SIGTTOU}

// catch has signals do nothing. What a process ignores is ignored by the programs
// that it starts as well; what it catches has its default action there.
func catch(signals ...os.Signal) {
	signal.Notify(make(chan os.Signal, 1), signals...) // what it has no room for is dropped
}
