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

// failed counts in a log what connections have failed, in lines with the words what:
// in lines of their own, and in those that only count.
func failed(log, what string) (lines, all int) {
	for line := range strings.Lines(log) {
		if !strings.Contains(line, "level=ERROR") || !strings.Contains(line, what) { // the watchdog warns
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
	const clients, budget, others = 60, 1 + 1, 20 + 1 // lines in a period of 10 seconds, the count at its end with them
	large := strings.Repeat("x", 3<<20)
	onAll := func(fn func(c *jay.Conn)) jay.Protocol {
		return onLine(func(c *jay.Conn, _ string) { fn(c) })
	}
	for name, tt := range map[string]struct {
		protocol jay.Protocol
		send     string
		fault    string
		most     int // lines in a period
	}{
		"output": {onAll(func(c *jay.Conn) { c.Write(make([]byte, 3<<20)) }), "go\n", "fault=system", budget},
		"output through a Buffer": {onAll(func(c *jay.Conn) {
			var b jay.Buffer
			if err := b.Append(c, make([]byte, 3<<20)); err != nil {
				c.CloseOn(jay.SystemFault, err)
			}
		}), "go\n", "fault=system", budget},
		"a message":                       {onEndless(func(*jay.Conn, string) {}), large, "fault=system", budget},
		"an announced message":            {&jay.Messages[[]byte]{Codec: sized{}, OnMessage: func(*jay.Conn, []byte) {}}, large, "fault=system", budget},
		"an error of Data":                {collectors, large, "fault=system", budget},
		"what else is the system's fault": {onAll(func(c *jay.Conn) { c.CloseOn(jay.SystemFault, errors.New("boom")) }), "go\n", "fault=system", others},
		"the program's fault":             {onAll(func(c *jay.Conn) { c.CloseOn(jay.ProgramFault, errors.New("boom")) }), "go\n", "fault=program", others},
		"a panic":                         {onAll(func(c *jay.Conn) { panic("boom") }), "go\n", "panicked", others},
		"the peer's fault":                {onAll(func(c *jay.Conn) { c.CloseOn(jay.PeerFault, errors.New("boom")) }), "go\n", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			var log logged
			before := slog.Default()
			slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
			t.Cleanup(func() { slog.SetDefault(before) })
			closed, began := make(chan error, clients), time.Now()
			addr, drain := drainable(t, &jay.Server{Protocol: tt.protocol, Loops: 1, MaxBuffered: 1 << 20, Conn: jay.ConnConfig{MaxInput: -1, MaxOutput: -1},
				OnClose: func(_ *jay.Conn, err error) { closed <- err }}, "auto")
			for range clients {
				c := dial(t, addr)
				_, _ = io.WriteString(c, tt.send)
				_, _ = io.Copy(io.Discard, c) // until the end
				c.SetLinger(0)
				c.Close()
				if err := receive(t, closed, "OnClose"); err == nil || errors.Is(err, jay.ErrBudget) != (tt.most == budget) {
					t.Fatalf("OnClose got %v", err)
				}
			}
			drain(jay.DrainWithin(supervise.DrainStop, time.Minute))
			eventually(t, "all are in the log", func() bool {
				_, all := failed(log.String(), tt.fault)
				return tt.fault == "" || all >= clients
			})
			lines, all := failed(log.String(), tt.fault)
			if errors, _ := failed(log.String(), ""); errors != lines {
				t.Errorf("the log names other faults as well: %.300q", log.String())
			}
			most := tt.most * (1 + int(time.Since(began)/(10*time.Second)))
			if tt.fault != "" && all != clients || lines > most {
				t.Errorf("the log has %d faults in %d lines, want %d in at most %d: %.300q", all, lines, clients, most, log.String())
			}
		})
	}
}
