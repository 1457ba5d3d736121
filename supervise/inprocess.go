package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// inProcess runs every program in this process, one worker each: what Main
// does where there is no supervision, and what tests use. It returns when all
// have returned, which they are told to when ctx is done.
type inProcess struct {
	options *Options
	loop    string
	logger  *slog.Logger
	started func(p *Program, sockets []Socket) // after a program's sockets are open
}

func (r *inProcess) run(ctx context.Context) error {
	if err := validate(r.options.Programs); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	b := newBoard(len(r.options.Programs))
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for i := range r.options.Programs {
		p := &r.options.Programs[i]
		sockets, err := Listen(p.Listen, p.Backlog)
		if err != nil {
			cancel(err)
			wg.Wait()
			return errors.Join(fmt.Errorf("program %s: %w", p.name(), err), failed)
		}
		if r.started != nil {
			r.started(p, sockets)
		}
		b.assign(i, p.name())
		w := &Worker{
			role: workerRole{Program: p.name(), Generation: 1, Incarnation: uint32(time.Now().Unix())<<8 | uint32(i), Loop: r.loop,
				Watchdog: timeoutOr(r.options.Watchdog, defaultWatchdog), Warning: timeoutOr(r.options.BlockWarning, defaultBlockWarning)},
			logger: r.logger, cell: b.cell(i, p.name()), sockets: sockets,
		}
		wg.Go(func() {
			err := r.runProgram(ctx, p, w)
			if err != nil {
				mu.Lock()
				failed = errors.Join(failed, fmt.Errorf("program %s: %w", p.name(), err))
				mu.Unlock()
				cancel(err)
			}
		})
	}
	wg.Wait()
	return failed
}

func (r *inProcess) runProgram(ctx context.Context, p *Program, w *Worker) error {
	defer func() {
		for _, s := range w.Sockets() {
			s.Close()
		}
	}()
	drained, drain := context.WithCancelCause(context.WithoutCancel(ctx))
	defer drain(nil)
	defer context.AfterFunc(ctx, func() {
		d := &Drain{Reason: Stop}
		if t := p.stopTimeout(); t >= 0 {
			d.Deadline = time.Now().Add(t)
		}
		w.settle(d, settleFor(d))
		drain(d)
	})()
	if p.OnWorkerStart != nil {
		if err := p.OnWorkerStart(w); err != nil {
			return fmt.Errorf("OnWorkerStart: %w", err)
		}
	}
	err := p.Run(drained, w)
	if p.OnWorkerStop != nil {
		p.OnWorkerStop(w)
	}
	return err
}
