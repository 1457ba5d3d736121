package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Serve runs the programs in this process, without a master and without the command
// line: for tests, debuggers and programs that want it so. Each is one worker,
// which has no replacement; what is a master's business, such as Count, MaxAge
// and the log's file, has no meaning. It returns nil when all have returned,
// which they are told to when ctx is done; or why one could not start or has failed,
// and then the others are told to end, too. A [Drain] as the cause of ctx is theirs.
func (o *Options) Serve(ctx context.Context) error {
	r := &inProcess{options: o, logger: slog.Default()}
	if o.Loop != nil {
		name, err := o.Loop("")
		if err != nil {
			return err
		}
		r.loop = name
	}
	return r.run(ctx)
}

// inProcess is a service without a master, which is also all there is on
// platforms without supervision.
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
		d := drainOf(ctx, p)
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

// drainOf is what the end of ctx means to a program.
func drainOf(ctx context.Context, p *Program) *Drain {
	if d, ok := errors.AsType[*Drain](context.Cause(ctx)); ok {
		return d
	}
	d := &Drain{Reason: DrainStop}
	if t := p.stopTimeout(); t >= 0 {
		d.Deadline = time.Now().Add(t)
	}
	return d
}
