package fleet

import (
	"errors"
	"strings"
	"testing"
)

// TestCheckSize: a service is bounded in workers and in sockets, and an address with a
// socket for each worker counts as often.
func TestCheckSize(t *testing.T) {
	tcp := []string{"tcp://127.0.0.1:1", "tcp://127.0.0.1:2"}
	for _, tt := range []struct {
		name  string
		specs []Spec
		want  string // "" for nothing
	}{
		{"nothing", nil, ""},
		{"as many workers as there may be", []Spec{{Name: "a", Count: 1000}, {Name: "b", Count: 24}}, ""},
		{"one more", []Spec{{Name: "a", Count: 1000}, {Name: "b", Count: 25}}, "program b: 1025 workers in all, at most 1024"},
		{"shared sockets", []Spec{{Name: "a", Count: 1024, Listen: tcp}}, ""},
		{"as many sockets as there may be", []Spec{{Name: "a", Count: 1024, Listen: append(tcp, tcp...), ReusePort: true}}, ""},
		{"one more socket", []Spec{{Name: "a", Count: 1023, Listen: append(tcp, tcp...), ReusePort: true}, {Name: "b", Count: 1, Listen: append(tcp, append(tcp, tcp[0])...)}},
			"program b: 4097 sockets in all, at most 4096"},
		{"one a worker, for datagrams", []Spec{{Name: "a", Count: 1024, Listen: []string{"udp://:1", "udp://:2", "udp://:3", "udp://:4", "udp://:5"}}}, "5120 sockets"},
		{"one for all, with a path", []Spec{{Name: "a", Count: 1024, Listen: []string{"unix:///s", "unix:///t"}, ReusePort: true}}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := CheckSize(tt.specs)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// TestPlace: a socket is found among the addresses of a program however they are
// written, also where two of them are equal.
func TestPlace(t *testing.T) {
	spec := &Spec{Listen: []string{":80", "tcp://127.0.0.1:0", "127.0.0.1:0", "unix:///s"}}
	for _, tt := range []struct {
		key        SocketKey
		want       int
		configured string
	}{
		{SocketKey{Addr: "tcp://:80"}, 0, ":80"},
		{SocketKey{Addr: "tcp://:80", Slot: 3}, 0, ":80"},
		{SocketKey{Addr: "tcp://127.0.0.1:0"}, 1, "tcp://127.0.0.1:0"},
		{SocketKey{Addr: "tcp://127.0.0.1:0", Nth: 1}, 2, "127.0.0.1:0"},
		{SocketKey{Addr: "tcp://127.0.0.1:0", Nth: 2}, -1, "tcp://127.0.0.1:0"},
		{SocketKey{Addr: "unix:///s"}, 3, "unix:///s"},
		{SocketKey{Addr: "tcp://:81"}, -1, "tcp://:81"},
	} {
		if got := spec.Place(tt.key); got != tt.want {
			t.Errorf("%+v is at %d, want %d", tt.key, got, tt.want)
		}
		if got := spec.configured(tt.key); got != tt.configured {
			t.Errorf("%+v is called %q, want %q", tt.key, got, tt.configured)
		}
	}
}

// TestNewFails: a service whose sockets cannot all be bound leaves none behind, and says
// which it was.
func TestNewFails(t *testing.T) {
	w := &fakeWorld{Clock: 1}
	first, second := one(1, false), one(1, false)
	second.Name = "b"
	second.Listen = []string{"127.0.0.1:82", "127.0.0.1:81"}
	w.Sockets = []fakeSocket{{FD: 99, Key: SocketKey{Addr: "tcp://127.0.0.1:81"}}} // somebody else's
	_, err := New(w, Described{File: w.openFile(), Specs: []Spec{first, second}}, 1)
	var listen *ListenError
	if !errors.As(err, &listen) || listen.Addr != "127.0.0.1:81" || err.Error() != "program b: listen 127.0.0.1:81: address already in use" {
		t.Fatalf("%v, want which address it is", err)
	}
	if len(w.Sockets) != 1 || len(w.Problems) > 0 {
		t.Errorf("sockets are left: %v, %v", w.Sockets, w.Problems)
	}
}

// TestGivenSockets: a socket of the service manager is shared by all workers, whatever the
// program says, for who gave it may be the only one who can bind there. It is not made
// again when its path is lost.
func TestGivenSockets(t *testing.T) {
	spec := unix(3)
	spec.Listen = append(spec.Listen, "127.0.0.1:80")
	spec.ReusePort = true
	w := &fakeWorld{Clock: 1, Give: true}
	m, err := New(w, Described{File: w.openFile(), Specs: []Spec{spec}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	w.machine = m
	m.Step(Tick{})
	if n := len(w.Sockets); n != 2 {
		t.Errorf("%d sockets for two addresses that were given", n)
	}
	m.Step(Lost{ID: m.Sockets[0].ID, Why: "removed"})
	if list := m.Problems(m.Programs...); len(list) != 1 || !strings.Contains(list[0], "socket of the service manager") || len(w.Sockets) != 2 {
		t.Errorf("the problems are %q, with %d sockets", list, len(w.Sockets))
	}
}

// TestSharedLater: the socket that all workers share stays when each is to have its own,
// and lets the others bind beside it.
func TestSharedLater(t *testing.T) {
	s := newService(t, one(2, false))
	first := s.World.Sockets[0].FD
	s.reload(one(2, true))
	if len(s.World.Sockets) != 2 || s.World.Sockets[0].FD != first || !s.World.Sockets[0].Share {
		t.Errorf("the sockets are %+v", s.World.Sockets)
	}
	s.reload(one(2, false))
	for _, w := range s.Machine.Workers {
		if w.State != WorkerDraining && len(w.Sockets) < 1 {
			t.Errorf("worker %d/%d has %v", w.Generation, w.Slot, w.Sockets)
		}
	}
}

// TestAnyPort: the system chooses a port once, and all workers have it.
func TestAnyPort(t *testing.T) {
	spec := one(3, true)
	spec.Listen = []string{"127.0.0.1:0"}
	s := newService(t, spec)
	for _, k := range s.Machine.Sockets {
		if k.Addr != s.Machine.Sockets[0].Addr || k.Key.Addr != "tcp://127.0.0.1:0" {
			t.Errorf("the socket of slot %d is %s, want %s", k.Key.Slot, k.Addr, s.Machine.Sockets[0].Addr)
		}
	}
	if n := len(s.Machine.Sockets); n != 3 {
		t.Errorf("%d sockets", n)
	}
}
