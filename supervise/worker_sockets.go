package supervise

// notFollowing is why a worker whose program does not call Report.OnSockets has to leave.
const notFollowing = "its sockets have changed, and its program does not follow them"

// followLocked has whatever serves follow a change of the sockets, once the
// worker is ready. Those that were taken away are closed when all have. It reports
// false where nobody follows, and has the worker replaced then.
func (w *Worker) followLocked() bool {
	if !w.ready || !w.missed {
		return true
	}
	var changed []func()
	for _, r := range w.reports {
		if r != nil && r.onSockets != nil {
			changed = append(changed, r.onSockets)
		}
	}
	if len(changed) == 0 {
		if !w.draining.Load() {
			go w.tell(message{Kind: msgLeave, Why: notFollowing})
		}
		return w.draining.Load()
	}
	lost := w.taken
	w.missed, w.taken = false, nil
	go func() {
		for _, fn := range changed {
			fn()
		}
		for _, s := range lost {
			_ = s.Close() // it may have been closed by Unlisten
		}
	}()
	return true
}
