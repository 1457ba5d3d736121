package loop_test

import (
	"fmt"
	"time"

	"github.com/jay-go/jay/loop"
)

// Any goroutine may post; everything else happens on the loop.
func ExampleLoop_Post() {
	l, err := loop.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	answer := make(chan int)
	total := 0 // the loop's own: no lock
	go func() {
		for i := range 10 {
			l.Post(func() { total += i })
		}
		l.Post(func() { answer <- total })
		fmt.Println("the sum is", <-answer)
		l.Stop()
	}()
	if err := l.Run(); err != nil {
		fmt.Println(err)
	}
	// Output: the sum is 45
}

func ExampleLoop_Every() {
	l, err := loop.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	l.AfterFunc(time.Millisecond, func() { fmt.Println("once") })
	n := 0
	var tick *loop.Timer
	tick = l.Every(10*time.Millisecond, func() {
		n++
		fmt.Println("tick", n)
		if n == 3 {
			tick.Stop()
			l.Stop()
		}
	})
	if err := l.Run(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// once
	// tick 1
	// tick 2
	// tick 3
}
