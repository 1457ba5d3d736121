package jay

import (
	"context"
	"flag"
	"fmt"
	"strconv"
	"strings"

	"github.com/jay-go/jay/supervise"
)

// Options are a whole program: its servers, and how the master runs them.
type Options struct {
	// Servers are the services; each gets worker processes of its own.
	Servers []*Server

	// Tasks are processes that serve no connections.
	Tasks []Task

	// Options has the rest: version, run directory, logs, user, further
	// programs without a server, and hooks that run in the master.
	supervise.Options
}

// Task is a background process: a worker without a socket and without a loop.
type Task struct {
	// Name tells it apart from the servers and other tasks.
	Name string

	// Count is the number of processes. Zero means 1.
	Count int

	// Exclusive says that no two processes of the task may live at the same
	// time. See [supervise.Program].
	Exclusive bool

	// Run does the work until ctx is done. When it returns earlier the process
	// is restarted, with backoff.
	Run func(ctx context.Context, w *supervise.Worker) error
}

func (t *Task) program() supervise.Program {
	return supervise.Program{Name: t.Name, Protocol: "task", Count: max(t.Count, 1), Exclusive: t.Exclusive,
		Run: func(ctx context.Context, w *supervise.Worker) error {
			if err := w.Ready(); err != nil {
				return err
			}
			return t.Run(ctx, w)
		}}
}

// Main runs servers under a master process, with the command line of package
// supervise (start, stop, status, …), and exits the process: it is the whole
// main function of a service. Where there is no process supervision it runs
// them in this process.
func Main(servers ...*Server) { (&Options{Servers: servers}).Main() }

// Main is the package's Main with options.
func (o *Options) Main() { o.supervised().Main() }

// Serve runs the servers and tasks in this process, as [Server.Serve] does one.
// When one fails the others end as well.
func (o *Options) Serve(ctx context.Context) error {
	all := o.supervised()
	all.Watchdog = -1 // nobody would replace this process
	return all.Serve(ctx)
}

// supervised is the program as the supervisor knows it.
func (o *Options) supervised() *supervise.Options {
	all := o.Options
	all.Programs = nil
	for _, s := range o.Servers {
		all.Programs = append(all.Programs, s.program())
	}
	for i := range o.Tasks {
		all.Programs = append(all.Programs, o.Tasks[i].program())
	}
	all.Programs = append(all.Programs, o.Options.Programs...)
	all.Loop = o.resolveLoop
	all.Extensions = append([]supervise.Extension{{Name: "jay", Flags: o.addFlags}}, o.Options.Extensions...)
	return &all
}

// addFlags registers the flags of servers that a supervisor knows nothing of.
func (o *Options) addFlags(fs *flag.FlagSet) {
	fs.Func("loops", "event loops of each worker process: N or auto, NAME=N for one server (repeatable)", o.setLoops)
}

// setLoops does what --loops says.
func (o *Options) setLoops(text string) error {
	name, number, named := strings.Cut(text, "=")
	if !named {
		name, number = "", text
	}
	n, err := strconv.Atoi(number)
	switch {
	case number == "auto":
		n = LoopPerCPU
	case err != nil || n < 1 || n > maxLoops:
		return fmt.Errorf("%q is not a number of loops; write 1 to %d, or auto", number, maxLoops)
	}
	found := false
	for _, s := range o.Servers {
		if !named || s.name() == name {
			s.Loops, found = n, true
		}
	}
	if !found {
		return fmt.Errorf("there is no server %q", name)
	}
	return nil
}
