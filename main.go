package jay

import (
	"github.com/jay-go/jay/loop"
	"github.com/jay-go/jay/supervise"
)

// Options are a whole program: its servers, and how the master runs them.
type Options struct {
	// Servers are the services; each gets worker processes of its own.
	Servers []*Server

	// Options has the rest: version, run directory, logs, user, further
	// programs without a server, and hooks that run in the master.
	supervise.Options
}

// Main runs servers under a master process, with the command line of package
// supervise (start, stop, status, …), and exits the process: it is the whole
// main function of a service. Where there is no process supervision it runs
// them in this process.
func Main(servers ...*Server) { (&Options{Servers: servers}).Main() }

// Main is the package's Main with options.
func (o *Options) Main() {
	all := o.Options
	all.Programs = nil
	for _, s := range o.Servers {
		all.Programs = append(all.Programs, s.program())
	}
	all.Programs = append(all.Programs, o.Options.Programs...)
	all.Loop = loop.Resolve
	all.Main()
}
