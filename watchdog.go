package jay

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// watchdog notices that a callback blocks the loop: it tells the log, then the
// supervisor. It lives on a goroutine of its own, since the loop cannot tell,
// but it goes by what the loop itself has noted.
type watchdog struct {
	w *Worker
	watchLimits

	looked time.Time     // when, last
	since  time.Duration // when the callback under observation began
	seen   time.Duration // for how long it was seen to run
	warned bool
	barked bool

	posted atomic.Bool // a beat waits in the loop's queue
	beaten time.Time   // when the last was posted
}

// watchLimits are how long a callback may block; negative is for ever.
type watchLimits struct{ warn, limit time.Duration }

// watch starts the watchdog. The func that it returns ends it.
func (w *Worker) watch(limits watchLimits) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var dog sync.WaitGroup
	dog.Go(func() { (&watchdog{w: w, watchLimits: limits}).run(ctx) })
	return func() {
		cancel()
		dog.Wait()
	}
}

// beatEvery is how often the loop is asked for a sign of life at least.
const beatEvery = time.Second / 2

// run watches until ctx is done.
func (d *watchdog) run(ctx context.Context) {
	period := d.period()
	tick := time.NewTicker(period)
	defer tick.Stop()
	d.looked = time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			d.askForBeat(min(beatEvery, period))
			d.look(2 * period)
		}
	}
}

// period is how often it looks: often enough to be at most a quarter late.
func (d *watchdog) period() time.Duration {
	period := beatEvery
	for _, t := range []time.Duration{d.warn, d.limit} {
		if t >= 0 {
			period = min(period, t/4)
		}
	}
	return max(period, 10*time.Millisecond)
}

// askForBeat has the loop give a sign of life, unless one is still to come.
func (d *watchdog) askForBeat(every time.Duration) {
	if time.Since(d.beaten) < every || !d.posted.CompareAndSwap(false, true) {
		return
	}
	d.beaten = time.Now()
	_ = d.w.loop.PostAnyway(func() {
		d.posted.Store(false)
		d.w.report.Beat()
	})
}

// look follows the present callback. Of the time since the last look at most
// counts: in a longer gap the process did not run at all.
func (d *watchdog) look(most time.Duration) {
	now := time.Now()
	passed := min(now.Sub(d.looked), most)
	d.looked = now
	st := d.w.loop.Stats()
	if st.Busy == 0 || st.BusySince != d.since {
		if d.barked {
			d.w.host.logger.Warn("the loop goes on", "after", d.seen)
			d.w.report.Recovered()
		}
		d.since, d.seen, d.warned, d.barked = st.BusySince, min(st.Busy, passed), false, false
		return
	}
	d.seen += passed
	switch {
	case d.limit >= 0 && d.seen >= d.limit && !d.barked:
		d.barked = true
		d.w.report.Hung(d.describe())
	case d.warn >= 0 && d.seen >= d.warn && !d.warned:
		d.warned = true
		d.warning()
	}
}

// describe says in a line what blocks the loop.
func (d *watchdog) describe() string {
	_, where := d.w.loop.Stack()
	text := fmt.Sprintf("a callback has blocked the loop for %v in %s", d.seen.Round(100*time.Millisecond), where)
	if c := d.w.current.Load(); c != nil {
		text += fmt.Sprintf(", connection %d", c.id)
	}
	return text
}

// warning tells the log, with the callback's stack.
func (d *watchdog) warning() {
	trace, where := d.w.loop.Stack()
	args := []any{"for", d.seen, "in", where}
	if c := d.w.current.Load(); c != nil {
		args = append(args, "conn", c.id, "remote", c.peerAddr())
	}
	d.w.host.logger.Warn("a callback blocks the loop", append(args, "stack", string(trace))...)
}
