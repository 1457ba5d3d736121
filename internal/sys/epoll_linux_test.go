package sys_test

import (
	"testing"
	"time"

	"github.com/jay-go/jay/internal/leak"
	"github.com/jay-go/jay/internal/sys"
	"golang.org/x/sys/unix"
)

func newEpoll(t *testing.T) *sys.Epoll {
	t.Helper()
	leak.Check(t)
	ep, err := sys.NewEpoll()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeEpoll(t, ep) })
	return ep
}

func closeEpoll(t *testing.T, ep *sys.Epoll) {
	if err := ep.Close(); err != nil {
		t.Error(err)
	}
}

func newWaker(t *testing.T) int {
	t.Helper()
	fd, err := sys.NewWaker()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sys.Close(fd) })
	return fd
}

// One event, with its tag unharmed, by Wait and by Poll; none after Del.
func TestEpoll(t *testing.T) {
	ep, waker := newEpoll(t), newWaker(t)
	const slot, gen = ^uint32(0) - 1, ^uint32(0)
	if err := ep.Add(waker, unix.EPOLLIN, slot, gen); err != nil {
		t.Fatal(err)
	}
	events := make([]sys.Event, 4)
	check := func(what string, n int, err error, want int) {
		t.Helper()
		if n != want || err != nil {
			t.Fatalf("%s = %d, %v; want %d events", what, n, err, want)
		}
		if e := events[0]; want == 1 && (uint32(e.Fd) != slot || uint32(e.Pad) != gen || e.Events != unix.EPOLLIN) {
			t.Errorf("%s: event %+v, want slot %d, gen %d, EPOLLIN", what, e, uint32(slot), uint32(gen))
		}
	}
	n, err := ep.Poll(events)
	check("Poll with nothing ready", n, err, 0)
	n, err = ep.Wait(events, 1)
	check("Wait with nothing ready", n, err, 0)
	for range 3 {
		if err := sys.Signal(waker); err != nil {
			t.Fatal(err)
		}
	}
	n, err = ep.Poll(events)
	check("Poll", n, err, 1)
	n, err = ep.Wait(events, -1)
	check("Wait", n, err, 1)
	if err := ep.Mod(waker, 0, slot, gen); err != nil {
		t.Fatal(err)
	}
	n, err = ep.Poll(events)
	check("Poll for nothing", n, err, 0)
	if err := ep.Mod(waker, unix.EPOLLIN, slot, gen); err != nil {
		t.Fatal(err)
	}
	if err := ep.Del(waker); err != nil {
		t.Fatal(err)
	}
	n, err = ep.Poll(events)
	check("Poll after Del", n, err, 0)
	if err := ep.Del(waker); err != unix.ENOENT {
		t.Errorf("Del twice: %v, want ENOENT", err)
	}
}

// Edge-triggered, as the loop registers it, a waker needs no reading back: each
// Signal wakes once. A full counter is no error.
func TestWakerEdgeTriggered(t *testing.T) {
	ep, waker := newEpoll(t), newWaker(t)
	if err := ep.Add(waker, unix.EPOLLIN|unix.EPOLLET, 1, 1); err != nil {
		t.Fatal(err)
	}
	events := make([]sys.Event, 4)
	for range 3 {
		go func() { _ = sys.Signal(waker) }()
		if n, err := ep.Wait(events, 20_000); n != 1 || err != nil {
			t.Fatalf("Wait for a Signal = %d, %v", n, err)
		}
		if n, err := ep.Poll(events); n != 0 || err != nil {
			t.Errorf("Poll after it = %d, %v; want nothing", n, err)
		}
	}
	full := [8]byte{0xf0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	if _, err := unix.Write(waker, full[:]); err != nil && err != unix.EAGAIN {
		t.Fatal(err)
	}
	for range 20 {
		if err := sys.Signal(waker); err != nil {
			t.Fatalf("Signal on a full counter: %v", err)
		}
	}
}

func TestWaitTimesOut(t *testing.T) {
	ep := newEpoll(t)
	begin := time.Now()
	n, err := ep.Wait(make([]sys.Event, 1), 20)
	if took := time.Since(begin); n != 0 || err != nil || took < 19*time.Millisecond {
		t.Errorf("Wait of 20 ms = %d, %v after %v", n, err, took)
	}
}

// Nothing of this reaches a child process.
func TestCloseOnExec(t *testing.T) {
	leak.Check(t)
	server, client := tcpPair(t)
	defer closeAll(t, server, client)
	for what, fd := range map[string]int{"waker": newWaker(t), "accepted connection": server} {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("%s: flags %#x, %v; want FD_CLOEXEC", what, flags, err)
		}
		mode, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		if err != nil || mode&unix.O_NONBLOCK == 0 {
			t.Errorf("%s: mode %#x, %v; want O_NONBLOCK", what, mode, err)
		}
	}
}
