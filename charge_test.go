package jay_test

import (
	"errors"
	"testing"

	"github.com/jay-go/jay"
)

// TestCharge: what is charged counts against the budget until it is freed, or
// the connection has ended.
func TestCharge(t *testing.T) {
	const budget = 1 << 20
	conns := make(chan *jay.Conn, 2)
	ended := make(chan bool, 2)
	addr := serve(t, &jay.Server{
		Loops: 1, Protocol: every(sink{}), MaxBuffered: budget, OnConnect: func(c *jay.Conn) { conns <- c },
		OnClose: func(*jay.Conn, error) { ended <- true },
	}, "")
	var all [2]*jay.Conn // used on the loop alone
	for i := range all {
		dial(t, addr)
		all[i] = receive(t, conns, "the connection")
	}
	w := all[0].Worker()
	on := func(fn func()) {
		done := make(chan bool, 1)
		_ = w.Loop().Post(func() { fn(); done <- true })
		receive(t, done, "a turn")
	}
	set := func(a *jay.Charge, c *jay.Conn, n int, want error) {
		t.Helper()
		if err := a.Set(c, n); !errors.Is(err, want) {
			t.Errorf("Set(%d): %v, want %v", n, err, want)
		}
	}
	var a, b jay.Charge
	on(func() {
		set(&a, all[0], budget-4096, nil)
		set(&b, all[1], budget/2, jay.ErrBudget)
		set(&b, all[1], 5000, nil) // which is little
		set(&a, all[0], 2*budget, jay.ErrBudget)
		a.Free()
		set(&b, all[1], budget/2, nil)
		set(&b, all[1], budget/4, nil)
		set(&a, all[0], budget/4, nil)
		all[1].Abort()
	})
	receive(t, ended, "the end")
	on(func() {
		set(&b, all[1], budget/2, jay.ErrClosed)
		b.Free()
		set(&a, all[0], budget/2, nil)
	})
}

// Funcs that wait for the loop take memory, however little they carry.
func TestRefCountsWhatFuncsTake(t *testing.T) {
	const budget = 1 << 20
	conns := make(chan *jay.Conn, 1)
	addr := serve(t, &jay.Server{Protocol: every(sink{}), MaxBuffered: budget, OnConnect: func(c *jay.Conn) { conns <- c }}, "")
	dial(t, addr)
	c := receive(t, conns, "the connection")
	busy, goOn := make(chan bool), make(chan bool)
	_ = c.Ref().Do(func(*jay.Conn) { close(busy); <-goOn })
	receive(t, busy, "the loop is busy")
	defer close(goOn)
	var err error
	sent := 0
	for err == nil && sent < budget {
		if err = c.Ref().Send([]byte("x")); err == nil {
			sent++
		}
	}
	if !errors.Is(err, jay.ErrBudget) || sent > budget/100 {
		t.Errorf("%d sends of a byte were accepted, then: %v", sent, err)
	}
	if err := c.Ref().Do(func(*jay.Conn) {}); !errors.Is(err, jay.ErrBusy) {
		t.Errorf("Do: %v, want ErrBusy", err)
	}
}
