package loop_test

import (
	"fmt"

	"github.com/jay-go/jay/internal/loop"
)

// session is an object with an idle deadline.
type session struct {
	l    *loop.Loop
	idle loop.Deadline
	last uint32 // the tick of the last activity
}

const idleTicks = 3

// active is cheap: it stores a number. The entry on the wheel stays.
func (s *session) active() { s.last = s.l.TickNow() }

// Expire moves the entry when there was activity meanwhile.
func (s *session) Expire() {
	if due := s.last + idleTicks; int32(due-s.l.TickNow()) > 0 {
		s.l.SetDeadline(&s.idle, due, s)
		return
	}
	fmt.Println("idle for too long")
	s.l.Stop()
}

func ExampleLoop_SetDeadline() {
	l, err := loop.New(loop.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	s := &session{l: l}
	l.Post(func() {
		s.active()
		l.SetDeadline(&s.idle, l.TickIn(idleTicks*loop.Tick), s)
	})
	if err := l.Run(); err != nil {
		fmt.Println(err)
	}
	// Output: idle for too long
}
