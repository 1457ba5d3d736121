package supervise

import (
	"fmt"
	"slices"
	"time"
)

// DrainReason says why a worker has to go.
type DrainReason int

const (
	DrainStop       DrainReason = iota + 1 // the whole service stops
	DrainReload                            // a new worker has taken over
	DrainScale                             // fewer workers are wanted
	DrainMasterGone                        // the master has died: leave within a second
	DrainReplace                           // the program is Exclusive: its next worker waits for the end of this one
)

func (r DrainReason) String() string {
	switch r {
	case DrainStop:
		return "stop"
	case DrainReload:
		return "reload"
	case DrainScale:
		return "scale"
	case DrainMasterGone:
		return "master gone"
	case DrainReplace:
		return "replace"
	}
	return fmt.Sprintf("reason %d", int(r))
}

// Drain is the cause of a worker's context: context.Cause(ctx) is a *Drain once
// ctx is done. The worker stops accepting, finishes what it has begun and
// returns from Run. At the deadline the process is killed.
type Drain struct {
	Reason   DrainReason
	Deadline time.Time // zero: no deadline

	ending []*handle // sockets that end, beside all of those of a stop
}

// Ends reports whether nobody accepts from a socket when this worker has
// stopped to: the service ends, or a reload has dropped the address. Who waits
// in its queue is this worker's to serve; a second after the drain has begun, or
// when [Report.Unlisten] is called, the socket refuses clients.
func (d *Drain) Ends(s Socket) bool {
	return d.Reason == DrainStop || d.Reason == DrainMasterGone || slices.Contains(d.ending, s.h)
}

// Overlaps reports whether others serve while this worker drains, so that
// connections may stay until the deadline. Otherwise nobody serves until it has
// ended.
func (d *Drain) Overlaps() bool { return d.Reason == DrainReload || d.Reason == DrainScale }

// overtakes reports whether d is more urgent than an earlier drain: the service
// stops, or the deadline is sooner. An order that is repeated is not.
func (d *Drain) overtakes(earlier *Drain) bool {
	const same = 100 * time.Millisecond // a deadline that went from process to process
	return d.Reason == DrainStop && earlier.Reason != DrainStop ||
		!d.Deadline.IsZero() && (earlier.Deadline.IsZero() || d.Deadline.Before(earlier.Deadline.Add(-same)))
}

func (d *Drain) Error() string {
	if d.Deadline.IsZero() {
		return "drain: " + d.Reason.String()
	}
	return fmt.Sprintf("drain until %s: %s", d.Deadline.Format(time.TimeOnly), d.Reason)
}
