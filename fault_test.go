package jay_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/jay-go/jay"
)

// logged collects what is logged by default.
type logged struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// atFault is an error that says whose fault it is.
type atFault struct{ whose jay.Fault }

func (atFault) Error() string       { return "boom" }
func (e atFault) Blames() jay.Fault { return e.whose }

// withError is a handler whose Data returns an error.
type withError struct {
	echo
	err error
}

func (h withError) Data(c *jay.Conn, b []byte) (int, error) {
	c.WriteString("sorry")
	return len(b), h.err
}

// refusing is a layer that does not like what is written, or what comes.
type refusing struct {
	shift
	decode, encode error
}

func (l *refusing) Ready() bool { return true }
func (l *refusing) Decode(plain, wire []byte) ([]byte, int, error) {
	return append(plain, wire...), len(wire), l.decode
}
func (l *refusing) Encode(wire, _ []byte) ([]byte, error) { return wire, l.encode }
func (l *refusing) Finish(wire []byte) []byte             { return append(wire, "bye"...) }

// TestFaults: what is a fault is told to OnError and to OnClose; without an OnError
// it is logged, unless it is the peer's. The end is as its name says.
func TestFaults(t *testing.T) {
	boom := errors.New("boom")
	on := func(fn func(c *jay.Conn)) *jay.Server {
		return &jay.Server{Protocol: onLine(func(c *jay.Conn, _ string) { c.WriteString("sorry"); fn(c) })}
	}
	below := func(l *refusing) *jay.Server {
		return &jay.Server{Protocol: every(echo{}), Layer: func() jay.Layer { return l }}
	}
	type test struct {
		server *jay.Server
		logs   string // the fault that the log names, if it is logged
		reset  bool
		says   string
	}
	tests := map[string]test{
		"Data returns an error":                   {&jay.Server{Protocol: every(withError{err: boom})}, "", false, "sorry"},
		"Data returns one of the program":         {&jay.Server{Protocol: every(withError{err: fmt.Errorf("wrapped: %w", atFault{jay.ProgramFault})})}, "program", false, "sorry"},
		"the layer does not like what comes":      {below(&refusing{decode: boom}), "", false, "bye"},
		"and says that the system is to blame":    {below(&refusing{decode: atFault{jay.SystemFault}}), "system", false, "bye"},
		"the layer does not like what is written": {below(&refusing{encode: boom}), "program", false, "bye"},
	}
	for _, whose := range []jay.Fault{jay.PeerFault, jay.ProgramFault, jay.SystemFault} {
		logs := whose.String()
		if whose == jay.PeerFault {
			logs = ""
		}
		tests["CloseOn "+whose.String()] = test{on(func(c *jay.Conn) { c.CloseOn(whose, boom) }), logs, false, "sorry"}
		tests["AbortOn "+whose.String()] = test{on(func(c *jay.Conn) { c.AbortOn(whose, boom) }), logs, true, ""}
	}
	for name, test := range tests {
		for _, told := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/OnError %v", name, told), func(t *testing.T) {
				eachBackend(t, func(t *testing.T, backend string) {
					var log logged
					before := slog.Default()
					slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
					t.Cleanup(func() { slog.SetDefault(before) })
					s := *test.server
					errs, closed := make(chan error, 2), make(chan error, 2)
					if told {
						s.OnError = func(_ *jay.Conn, err error) { errs <- err }
					}
					s.OnClose = func(_ *jay.Conn, err error) { closed <- err }
					c := dial(t, serve(t, &s, backend))
					send(t, c, "go\n")
					got, err := io.ReadAll(c)
					if reset := errors.Is(err, syscall.ECONNRESET); reset != test.reset || !reset && string(got) != test.says {
						t.Errorf("the peer got %q, %v; want %q, reset %v", got, err, test.says, test.reset)
					}
					c.Close()
					if err := receive(t, closed, "OnClose"); err == nil || !strings.Contains(err.Error(), "boom") {
						t.Errorf("OnClose got %v", err)
					}
					if told && !strings.Contains(receive(t, errs, "OnError").Error(), "boom") {
						t.Error("OnError got another error")
					}
					if len(errs) > 0 {
						t.Errorf("OnError is told again: %v", <-errs)
					}
					is, want := log.String(), ""
					if !told {
						want = test.logs
					}
					if (is != "") != (want != "") || want != "" && !strings.Contains(is, "fault="+want) {
						t.Errorf("the log says %q, want the fault %q", is, want)
					}
				})
			})
		}
	}
}
