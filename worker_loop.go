package jay

import "github.com/jay-go/jay/loop"

// Loop returns the worker's loop, for timers, watched descriptors, and what other
// goroutines post. Any goroutine may call it.
func (w *Worker) Loop() *loop.Loop { return (*loop.Loop)(w.loop) }

// Loop returns the loop that the connection belongs to.
func (c *Conn) Loop() *loop.Loop { return c.worker.Loop() }
