// Timer counts for each client, once in an interval, and says goodbye:
//
//	go run ./examples/timer start --every 500ms --for 3s
//	socat - TCP:127.0.0.1:7003
//
// It shows the loop's timers: Every and AfterFunc call back on the loop, so
// what they touch needs no lock.
package main

import (
	"flag"
	"fmt"
	"strconv"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/loop"
)

func main() {
	c := &clock{}
	flag.DurationVar(&c.every, "every", time.Second, "the time between two counts")
	flag.DurationVar(&c.stay, "for", 10*time.Second, "how long a client may stay")
	jay.Main(&jay.Server{
		Name:          "timer",
		Addr:          "tcp://127.0.0.1:7003",
		Protocol:      c,
		OnWorkerStart: c.start,
	})
}

// clock is the Protocol, and the Handler of every connection. Its state is that of
// one worker.
type clock struct {
	every, stay time.Duration // positive
	seconds     int           // that the worker has lived
}

// visit is what a client has running.
type visit struct{ count, leave *loop.Timer }

// Name is the word for status.
func (k *clock) Name() string { return "text" }

// NewConn has every connection handled here.
func (k *clock) NewConn(*jay.Conn) jay.Handler { return k }

// start sets a timer of the worker's own.
func (k *clock) start(w *jay.Worker) error {
	if k.every <= 0 {
		return fmt.Errorf("--every is %v; it has to be more than 0", k.every)
	}
	w.Loop().Every(time.Second, func() { k.seconds++ })
	return nil
}

// Open starts counting.
func (k *clock) Open(c *jay.Conn) {
	n := 0
	count := c.Loop().Every(k.every, func() {
		n++
		c.WriteString(strconv.Itoa(n) + "\n")
	})
	leave := c.Loop().AfterFunc(k.stay, func() {
		c.WriteString("goodbye, after " + k.stay.String() + "\n")
		c.Close()
	})
	c.SetValue(visit{count, leave})
}

// Data answers whatever a client sends with the age of the worker.
func (k *clock) Data(c *jay.Conn, b []byte) (int, error) {
	c.WriteString("the worker is " + strconv.Itoa(k.seconds) + " seconds old\n")
	return len(b), nil
}

// Close stops what Open has started: a timer outlives its connection
// otherwise.
func (k *clock) Close(c *jay.Conn, err error) {
	v := c.Value().(visit)
	v.count.Stop()
	v.leave.Stop()
}
