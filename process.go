package jay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
)

// LoopPerCPU as Server.Loops is one loop for each processor that the process may
// use.
const LoopPerCPU = -1

// maxLoops is how many loops a process may have: as many as a worker can report.
const maxLoops = 64

func (s *Server) loops() int {
	switch {
	case s.Loops == LoopPerCPU:
		return min(runtime.GOMAXPROCS(0), maxLoops) // which knows of quotas
	case s.Loops == 0:
		return 1
	}
	return s.Loops
}

func (s *Server) checkLoops() error {
	if s.Loops < LoopPerCPU || s.Loops > maxLoops {
		return fmt.Errorf("field Loops is %d; write 1 to %d, 0 for 1, or jay.LoopPerCPU", s.Loops, maxLoops)
	}
	return nil
}

// process is a server at work in this process: its Workers, which have a loop
// each, and what they have in common.
type process struct {
	server  *Server
	host    host
	workers []*Worker
	taken   atomic.Int64 // accepted connections; see takePlace
}

// run serves until ctx is done and the connections have drained.
func (s *Server) run(ctx context.Context, h host) error {
	p, err := s.newProcess(ctx, h)
	if err != nil {
		return err
	}
	h.began(p.workers)
	_ = p.workers[0].loop.PostAnyway(func() { p.start(0) })
	ended := make(chan error, len(p.workers))
	for _, w := range p.workers {
		defer w.report.End()
		defer w.watch(h.watchdog)()
		go func() { ended <- w.loop.Run() }()
	}
	select {
	case err := <-ended: // it has failed, and the others go with it
		p.each(func(w *Worker) { _ = w.loop.PostAnyway(w.abandon) })
		return errors.Join(err, p.end(ended, len(p.workers)-1))
	case <-ctx.Done():
	}
	d := drainOf(ctx, s)
	p.each(func(w *Worker) { w.awaitDrain(d) })
	return p.end(ended, len(p.workers))
}

// each runs fn for all workers, each on a goroutine, and waits for them.
func (p *process) each(fn func(w *Worker)) {
	var all sync.WaitGroup
	for _, w := range p.workers {
		all.Go(func() { fn(w) })
	}
	all.Wait()
}

// end ends the loops, of which n are still to say that they have.
func (p *process) end(ended <-chan error, n int) (err error) {
	p.each(func(w *Worker) {
		w.await(w.die) // on the loop, where no helper begins from then on
		w.die()        // the loop may have ended
		w.helpers.Wait()
		_ = w.loop.PostAnyway(w.stop) // the loop may have failed
		w.loop.Stop()
	})
	for range n {
		err = errors.Join(err, <-ended)
	}
	for _, w := range p.workers {
		err = errors.Join(w.startErr, err)
	}
	return err
}

func (s *Server) newProcess(ctx context.Context, h host) (*process, error) {
	p := &process{server: s, host: h}
	n := s.loops()
	if runtime.GOMAXPROCS(0) < n {
		runtime.GOMAXPROCS(n)
	}
	for i := range n {
		w, err := p.newWorker(ctx, i, n)
		if err != nil {
			for _, w := range p.workers {
				w.loop.Stop()
				_ = w.loop.Run() // closes what it has
				w.report.End()
			}
			return nil, fmt.Errorf("server %s: %w", s.name(), err)
		}
		p.workers = append(p.workers, w)
	}
	return p, nil
}

// start runs OnWorkerStart for each worker, one after the other, and then has all
// of them listen.
func (p *process) start(i int) {
	w := p.workers[i]
	if !w.start() {
		return
	}
	if i+1 < len(p.workers) {
		_ = p.workers[i+1].loop.PostAnyway(func() { p.start(i + 1) })
		return
	}
	p.on(i, 0, func() { p.listen(0) })
}

// listen has the workers listen, one after the other, and says then that the
// process is ready.
func (p *process) listen(i int) {
	w := p.workers[i]
	if !w.startListening() {
		return
	}
	if i+1 < len(p.workers) {
		_ = p.workers[i+1].loop.PostAnyway(func() { p.listen(i + 1) })
		return
	}
	p.on(i, 0, func() {
		if err := p.host.ready(); err != nil {
			p.workers[0].startFailed(err)
		} else if on := p.server.OnReady; on != nil {
			on(p.addrs())
		}
	})
}

// addrs are the bound addresses of the server.
func (p *process) addrs() (all []net.Addr) {
	for _, on := range p.host.listening() {
		all = append(all, on.addr)
	}
	return all
}

// on runs fn on the loop of worker to; the caller is on that of worker from.
func (p *process) on(from, to int, fn func()) {
	if from == to {
		fn()
		return
	}
	_ = p.workers[to].loop.PostAnyway(fn)
}

// takePlace takes the place of one of MaxConns connections, if there is one.
func (p *process) takePlace(limit int) bool {
	if int(p.taken.Add(1)) <= limit {
		return true
	}
	p.givePlace()
	return false
}

func (p *process) givePlace() { p.taken.Add(-1) }

// others is what of the budget the process's other loops had spent when they last
// said so: at the end of a turn.
func (w *Worker) others() (n int) {
	if len(w.proc.workers) == 1 {
		return 0
	}
	for _, other := range w.proc.workers {
		if other != w {
			n += int(other.spent.Load() + other.posted.Load())
		}
	}
	return n
}
