package jay_test

import (
	"context"
	"strings"
	"testing"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/internal/loop"
)

// TestWhatIsNotThere: what would serve nobody, or not as it was asked, is
// refused with what would be right: in this process, under a master and by its
// check, which ask the same, by Listen in a worker, and by Dial.
func TestWhatIsNotThere(t *testing.T) {
	start := func(*jay.Worker) error { return nil }
	for name, test := range map[string]struct {
		server jay.Server
		want   string
	}{
		"datagrams":               {jay.Server{Protocol: every(echo{}), Addr: "udp://127.0.0.1:0"}, "write tcp://127.0.0.1:0"},
		"datagrams beside":        {jay.Server{Protocol: every(echo{}), Addr: "tcp://127.0.0.1:0", Endpoints: []jay.Endpoint{{Addr: "udp://127.0.0.1:0"}}}, "write tcp://"},
		"TLS":                     {jay.Server{Protocol: every(echo{}), Addr: "tls://127.0.0.1:0"}, "there is no TLS here"},
		"no protocol":             {jay.Server{Addr: "tcp://127.0.0.1:0"}, "Protocol is nil"},
		"no callback":             {jay.Server{Protocol: &jay.Messages[string]{Codec: lines{}}, Addr: "tcp://127.0.0.1:0"}, "OnMessage"},
		"no codec":                {jay.Server{Protocol: &jay.Messages[string]{OnMessage: func(*jay.Conn, string) {}}, Addr: "tcp://127.0.0.1:0"}, "Codec"},
		"no func":                 {jay.Server{Protocol: jay.NewProtocol("mine", nil), Addr: "tcp://127.0.0.1:0"}, "mine: newConn is nil"},
		"no callback beside":      {jay.Server{Protocol: every(echo{}), Addr: "tcp://127.0.0.1:0", Endpoints: []jay.Endpoint{{Addr: "tcp://127.0.0.1:0", Protocol: &jay.Messages[string]{Codec: lines{}}}}}, "OnMessage"},
		"no address":              {jay.Server{Protocol: every(echo{})}, "set Addr"},
		"nothing":                 {jay.Server{}, "set Addr"},
		"an unknown loop":         {jay.Server{Protocol: every(echo{}), Addr: "tcp://127.0.0.1:0", Loop: "kqueue"}, "kqueue"},
		"marks the other way":     {jay.Server{Protocol: every(echo{}), Addr: "tcp://127.0.0.1:0", Conn: jay.ConnConfig{HighWater: 10, LowWater: 20}}, "LowWater"},
		"no address, but a start": {jay.Server{OnWorkerStart: start}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			p := test.server.Program()
			for how, err := range map[string]error{"Serve": test.server.Serve(ctx), "a master": p.Check(p.Listen)} {
				switch {
				case test.want == "" && err != nil:
					t.Errorf("%s: %v", how, err)
				case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
					t.Errorf("%s: %v, want %q in it", how, err, test.want)
				}
			}
		})
	}
}

func TestListenAndDialWhatIsNotThere(t *testing.T) {
	dialled := make(chan error, 4)
	var listened []error
	serve(t, &jay.Server{Protocol: every(echo{}), Loops: 1, OnWorkerStart: func(w *jay.Worker) error {
		for _, address := range []string{"udp://127.0.0.1:1", "tls://127.0.0.1:1"} {
			_, err := w.Listen(jay.Endpoint{Addr: address})
			listened = append(listened, err)
			jay.Dialer{}.Dial(w, address, every(echo{}), func(_ *jay.Conn, err error) { dialled <- err })
		}
		_, err := w.Listen(jay.Endpoint{Addr: "tcp://127.0.0.1:1", Protocol: jay.NewProtocol("mine", nil)})
		listened = append(listened, err)
		jay.Dialer{}.Dial(w, "tcp://127.0.0.1:1", nil, func(_ *jay.Conn, err error) { dialled <- err })
		jay.Dialer{}.Dial(w, "tcp://127.0.0.1:1", jay.NewProtocol("mine", nil), func(_ *jay.Conn, err error) { dialled <- err })
		return nil
	}}, "auto")
	for range 4 {
		err := receive(t, dialled, "the result of Dial")
		if err == nil || !strings.Contains(err.Error(), "tcp://127.0.0.1:1") {
			t.Errorf("Dial: %v", err)
		}
	}
	for _, err := range listened {
		if err == nil || !strings.Contains(err.Error(), "tcp://127.0.0.1:1") {
			t.Errorf("Listen: %v", err)
		}
	}
}

// TestLoopOfServers: --loop wins, and without it each server has the loop that
// it asks for.
func TestLoopOfServers(t *testing.T) {
	auto, err := loop.Resolve("")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		flag    string
		servers []string
		want    []string
	}{
		{"", []string{""}, []string{auto}},
		{"", []string{"goroutine"}, []string{"goroutine"}},
		{"auto", []string{"goroutine"}, []string{"goroutine"}},
		{auto, []string{"goroutine"}, []string{auto}},
		{"goroutine", []string{auto, ""}, []string{"goroutine", "goroutine"}},
		{"", []string{"goroutine", auto}, []string{"goroutine", auto}},
		{"", []string{"goroutine", "goroutine"}, []string{"goroutine", "goroutine"}},
	} {
		var o jay.Options
		for _, name := range tt.servers {
			o.Servers = append(o.Servers, &jay.Server{Loop: name})
		}
		resolved, err := o.ResolveLoop(tt.flag)
		if err != nil {
			t.Errorf("--loop %q: %v", tt.flag, err)
		}
		for i, s := range o.Servers {
			if got, err := loop.Resolve(s.Backend(resolved)); got != tt.want[i] || err != nil {
				t.Errorf("--loop %q, servers %q: server %d has %q, %v, want %q", tt.flag, tt.servers, i, got, err, tt.want[i])
			}
		}
	}
	if _, err := (&jay.Options{}).ResolveLoop("kqueue"); err == nil {
		t.Error("an unknown loop is resolved")
	}
}
