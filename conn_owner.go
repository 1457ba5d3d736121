package jay

// mine panics on a goroutine to which the connection does not belong, in builds with
// the race detector: it would only tell where two happen to meet. All exported
// methods of Conn begin with it, but ID, Worker, Loop and Ref, which read what never
// changes. It costs nothing in other builds.
func (c *Conn) mine() {
	if c.worker.loop.Foreign() {
		panic("jay: a Conn is used on another goroutine than its loop's; " +
			"take its Ref in a callback, and use that here: Ref.Send, Ref.Do, Ref.Close")
	}
}
