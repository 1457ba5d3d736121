package jay_test

import (
	"errors"
	"io"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/supervise"
)

// failed counts in a log what connections have failed by whose fault: in lines of
// their own, and in those that only count.
func failed(log, fault string) (lines, all int) {
	for line := range strings.Lines(log) {
		if !strings.Contains(line, "fault="+fault) {
			continue
		}
		lines++
		if n := regexp.MustCompile(` count=(\d+)`).FindStringSubmatch(line); n != nil {
			k, _ := strconv.Atoi(n[1])
			all += k
		} else {
			all++
		}
	}
	return lines, all
}

// TestFaultsDoNotFillTheLog: strangers may bring a fault about as often as they
// like. The log hears of it now and then, and of how many there were; of a
// budget that is spent it hears as one fault, the system's.
func TestFaultsDoNotFillTheLog(t *testing.T) {
	const clients, most = 60, 30 // most lines: 20, and a count at the end of each period
	large := strings.Repeat("x", 3<<20)
	onAll := func(fn func(c *jay.Conn)) jay.Protocol {
		return onLine(func(c *jay.Conn, _ string) { fn(c) })
	}
	for name, tt := range map[string]struct {
		protocol jay.Protocol
		send     string
		fault    string
		most     int
	}{
		"output": {onAll(func(c *jay.Conn) { c.Write(make([]byte, 3<<20)) }), "go\n", "system", most / 5},
		"output through a Buffer": {onAll(func(c *jay.Conn) {
			var b jay.Buffer
			if err := b.Append(c, make([]byte, 3<<20)); err != nil {
				c.CloseOn(jay.SystemFault, err)
			}
		}), "go\n", "system", most / 5},
		"a message":                       {onEndless(func(*jay.Conn, string) {}), large, "system", most / 5},
		"an announced message":            {&jay.Messages[[]byte]{Codec: sized{}, OnMessage: func(*jay.Conn, []byte) {}}, large, "system", most / 5},
		"an error of Data":                {collectors, large, "system", most / 5},
		"what else is the system's fault": {onAll(func(c *jay.Conn) { c.CloseOn(jay.SystemFault, errors.New("boom")) }), "go\n", "system", most},
		"the program's fault":             {onAll(func(c *jay.Conn) { c.CloseOn(jay.ProgramFault, errors.New("boom")) }), "go\n", "program", most},
		"the peer's fault":                {onAll(func(c *jay.Conn) { c.CloseOn(jay.PeerFault, errors.New("boom")) }), "go\n", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			var log logged
			before := slog.Default()
			slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
			t.Cleanup(func() { slog.SetDefault(before) })
			closed := make(chan error, clients)
			addr, drain := drainable(t, &jay.Server{Protocol: tt.protocol, Loops: 1, MaxBuffered: 1 << 20, Conn: jay.ConnConfig{MaxInput: -1, MaxOutput: -1},
				OnClose: func(_ *jay.Conn, err error) { closed <- err }}, "auto")
			for range clients {
				c := dial(t, addr)
				_, _ = io.WriteString(c, tt.send)
				_, _ = io.Copy(io.Discard, c) // until the end
				c.SetLinger(0)
				c.Close()
				if err := receive(t, closed, "OnClose"); err == nil || errors.Is(err, jay.ErrBudget) != (tt.most < most && tt.most > 0) {
					t.Fatalf("OnClose got %v", err)
				}
			}
			drain(jay.DrainWithin(supervise.DrainStop, time.Minute))
			eventually(t, "all are in the log", func() bool {
				_, all := failed(log.String(), tt.fault)
				return tt.fault == "" || all >= clients
			})
			lines, all := failed(log.String(), tt.fault)
			if others, _ := failed(log.String(), ""); others != lines {
				t.Errorf("the log names other faults as well: %.300q", log.String())
			}
			if tt.fault != "" && all != clients || lines > tt.most {
				t.Errorf("the log has %d faults in %d lines, want %d in at most %d: %.300q", all, lines, clients, tt.most, log.String())
			}
		})
	}
}
