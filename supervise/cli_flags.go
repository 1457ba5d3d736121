package supervise

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jay-go/jay/internal/fleet"
	"github.com/jay-go/jay/internal/logs"
)

// usageError is wrong usage: exit code 2.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// config is what a command line asks for, flags, environment and Options
// merged in this order of precedence.
type config struct {
	prog     string // base name
	command  string
	args     []string
	programs []Program // with the overrides applied
	version  string
	loop     string // as resolved

	runDir    string
	named     bool // the user, or the program, says which run directory
	exact     bool // only the very same program is asked
	logFile   string
	logFormat string
	logLevel  string
	user      string
	group     string
	watchdog  time.Duration
	warning   time.Duration
	memory    int64         // see Options.MemoryLimit
	describe  time.Duration // deadline of a new file's self-description

	daemon, quiet, noLimit bool
	coreDumps              bool
	out                    io.Writer       // of a command
	own                    map[string]bool // the flags of this package
	json, watch, follow    bool
	filter, sort           string
	lines                  int
}

// watchdogLimit and blockWarning are those of the workers; negative is none.
func (c *config) watchdogLimit() time.Duration { return timeoutOr(c.watchdog, defaultWatchdog) }
func (c *config) blockWarning() time.Duration  { return timeoutOr(c.warning, defaultBlockWarning) }

// watchPeriod is how often the master looks after its workers.
func (c *config) watchPeriod() time.Duration {
	if limit := c.watchdogLimit(); limit >= 0 {
		return min(max(limit/4, 50*time.Millisecond), time.Second)
	}
	return time.Second
}

// flagValues are the raw values of the flags that need more than a variable.
type flagValues struct {
	listen, workers, reusePort list
	stopTimeout, startTimeout  time.Duration
	loop                       string
	admin                      string
}

// list is a repeatable flag; from the environment it is comma-separated.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

// limit is a flag of how long something may take at most. It is never 0, which is
// the default elsewhere, and would be taken for at once, or for no limit.
type limit struct{ d *time.Duration }

func (l limit) String() string {
	if l.d == nil || *l.d == 0 {
		return ""
	}
	return l.d.String()
}

func (l limit) Set(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil || d == 0 {
		return errors.New("write a time like 500ms, 10s or 2m, or -1s for no limit")
	}
	*l.d = d
	return nil
}

// boolList is a list whose value may be left out.
type boolList struct{ *list }

func (boolList) IsBoolFlag() bool { return true }
func (b boolList) String() string {
	if b.list == nil {
		return ""
	}
	return b.list.String()
}

// parseCommandLine reads argv without the program, and the environment.
func parseCommandLine(o *Options, argv0 string, args []string, env func(string) (string, bool)) (*config, error) {
	c := &config{prog: filepath.Base(argv0), command: "start", version: o.version(), coreDumps: o.CoreDumps}
	if err := checkExtensions(o); err != nil {
		return nil, err
	}
	v := &flagValues{}
	fs, err := c.flagSet(o, v)
	if err != nil {
		return nil, err
	}
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		c.command, args = args[0], args[1:]
	} else if help, err := parseFlags(o, fs, args); err != nil {
		return nil, err
	} else if help {
		c.command, args = "help", fs.Args()
	} else if args = fs.Args(); len(args) > 0 {
		c.command, args = args[0], args[1:]
	}
	if err := c.checkCommand(o); err != nil {
		return nil, err
	}
	for len(args) > 0 { // flags may stand before and after the words
		help, err := parseFlags(o, fs, args)
		if err != nil {
			return nil, err
		}
		if help && c.command != "help" {
			c.command, c.args = "help", []string{c.command}
			break
		}
		if args = fs.Args(); len(args) > 0 {
			c.args, args = append(c.args, args[0]), args[1:]
		}
	}
	if err := c.checkFlags(o, fs); err != nil {
		return nil, err
	}
	if err := fromEnvironment(fs, env); err != nil {
		return nil, err
	}
	flag.CommandLine.Parse(nil) // its values are set; it now says so
	if err := c.apply(o, v); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *config) checkCommand(o *Options) error {
	names := commands(o)
	if !slices.Contains(names, c.command) {
		return usagef("unknown command %q%s", c.command, didYouMean(c.command, names))
	}
	return nil
}

// flagSet defines every flag: ours, the program's, and those of package flag.
func (c *config) flagSet(o *Options, v *flagValues) (*flag.FlagSet, error) {
	fs := flag.NewFlagSet(c.prog, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	fs.Var(&v.listen, "listen", "`ADDR` or NAME=ADDR: address of the first program, or of program NAME (repeatable)")
	fs.Var(&v.workers, "workers", "`N` or NAME=N: worker processes; auto is one a CPU (repeatable)")
	fs.StringVar(&c.runDir, "run-dir", o.RunDir, "`DIR` of the lock, the control socket and the daemon's log")
	fs.StringVar(&c.logFile, "log-file", o.LogFile, "`FILE` for the log")
	fs.StringVar(&c.logFormat, "log-format", or(o.LogFormat, "text"), "`FORMAT` of the log: text or json")
	fs.StringVar(&c.logLevel, "log-level", or(o.LogLevel, "info"), "`LEVEL` of the log: debug, info, warn or error")
	fs.Var(boolList{&v.reusePort}, "reuse-port", "one socket per worker; =`NAME` for one program")
	fs.StringVar(&v.loop, "loop", "", loops(o))
	fs.Var(limit{&v.stopTimeout}, "stop-timeout", "`TIME` that workers may drain; negative is no limit (10s)")
	fs.Var(limit{&v.startTimeout}, "start-timeout", "`TIME` that workers may take to be ready; negative is no limit (10s)")
	c.watchdog = o.Watchdog
	fs.Var(limit{&c.watchdog}, "watchdog", "`TIME` that a callback may block a worker before another takes its place; negative is no limit (10s)")
	fs.StringVar(&c.user, "user", o.User, "`USER` of the workers")
	fs.StringVar(&c.group, "group", o.Group, "`GROUP` of the workers")
	c.memory = o.MemoryLimit
	fs.Var(sizeFlag{&c.memory}, "memory-limit", "`SIZE` that all processes may take together, shared out as GOMEMLIMIT; off (that of the control group)")
	fs.BoolVar(&c.daemon, "d", false, "start, restart: as a daemon")
	fs.BoolVar(&c.quiet, "q", false, "no start table, and no line of what was done")
	fs.BoolVar(&c.noLimit, "g", false, "stop, restart: wait without a deadline")
	fs.BoolVar(&c.json, "json", false, "status, connections: JSON")
	fs.BoolVar(&c.watch, "watch", false, "status: again every second")
	fs.BoolVar(&c.follow, "f", false, "logs: go on with what comes")
	fs.IntVar(&c.lines, "n", 100, "logs: the last `N` lines")
	fs.StringVar(&c.filter, "program", "", "connections: of program `NAME`")
	fs.StringVar(&c.sort, "sort", "", "connections: by `COLUMN`")
	c.own = map[string]bool{}
	fs.VisitAll(func(f *flag.Flag) { c.own[f.Name] = true })
	if err := o.addFlags(fs); err != nil {
		return nil, err
	}
	if fs.Lookup("admin") == nil {
		fs.StringVar(&v.admin, "admin", "", noAdmin)
	}
	return fs, nil
}

// noAdmin is the usage of --admin where no extension has it, for a better error
// than that it is unknown.
const noAdmin = "`ADDR` of metrics and dashboard, in programs that have them"

func or(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

// parseFlags parses, and names the nearest flag where one is unknown. help says
// that -h or --help is there.
func parseFlags(o *Options, fs *flag.FlagSet, args []string) (help bool, err error) {
	err = fs.Parse(args)
	if err == nil {
		return false, nil
	}
	if errors.Is(err, flag.ErrHelp) {
		return true, nil
	}
	name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !unknown {
		return false, usageError{err}
	}
	if slices.Contains(commands(o), name) {
		return false, usagef("unknown flag --%s; did you mean the command %s?", name, name)
	}
	var names []string
	fs.VisitAll(func(f *flag.Flag) {
		if offered(o, f) {
			names = append(names, f.Name)
		}
	})
	return false, usagef("unknown flag --%s; did you mean %s?", name, dashes(nearest(name, names)))
}

func dashes(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// fromEnvironment sets the flags that were not given from JAY_… variables.
func fromEnvironment(fs *flag.FlagSet, env func(string) (string, bool)) error {
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	var failed error
	fs.VisitAll(func(f *flag.Flag) {
		if len(f.Name) == 1 || given[f.Name] || strings.HasPrefix(f.Name, "test.") {
			return
		}
		name := "JAY_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value, ok := env(name)
		if !ok || value == "" {
			return
		}
		values := []string{value}
		switch f.Value.(type) {
		case *list, boolList:
			values = strings.Split(value, ",")
		}
		for _, s := range values {
			if err := fs.Set(f.Name, strings.TrimSpace(s)); err != nil {
				failed = usagef("%s=%q: %v", name, value, err)
			}
		}
	})
	return failed
}

// apply turns the values into the programs that will run.
func (c *config) apply(o *Options, v *flagValues) error {
	if v.admin != "" {
		return usagef("--admin: this program does not import the admin package, and has no dashboard; GET /metrics on the control socket has the metrics")
	}
	if v.loop != "" && o.Loop == nil {
		return usagef("--loop %s: this program has no event loop to choose", v.loop)
	}
	if o.Loop != nil {
		var err error
		if c.loop, err = o.Loop(v.loop); err != nil {
			return usagef("--loop %s: %v", v.loop, err)
		}
	}
	if c.logFormat != "text" && c.logFormat != "json" {
		return usagef("--log-format %q; write text or json", c.logFormat)
	}
	if _, err := logs.ParseLevel(c.logLevel); err != nil {
		return usagef("--log-level %v", err)
	}
	if c.lines < 0 {
		return usagef("-n %d: write how many lines, from 0", c.lines)
	}
	if err := sortConnections(nil, c.sort); err != nil {
		return err
	}
	c.warning = o.BlockWarning
	added, err := o.addedPrograms(o.Programs)
	if err != nil {
		return err
	}
	c.programs = slices.Concat(o.Programs, added)
	if err := c.applyPrograms(v); err != nil {
		return err
	}
	if err := validate(c.programs); err != nil && c.command != "check" { // which says it itself, and more
		return usageError{err}
	}
	for i := range c.programs {
		c.describe = max(c.describe, c.programs[i].startTimeout())
	}
	if c.describe <= 0 {
		c.describe = defaultStartTimeout
	}
	return nil
}

func (c *config) applyPrograms(v *flagValues) error {
	listens := map[*Program][]string{}
	for _, s := range v.listen {
		p, value, err := c.target("listen", s)
		if err != nil {
			return err
		}
		listens[p] = append(listens[p], value)
	}
	for p, addrs := range listens {
		p.Listen = addrs
	}
	for _, s := range v.workers {
		p, value, err := c.target("workers", s)
		if err != nil {
			return err
		}
		if p.Count, err = parseCount(value); err != nil {
			return usagef("--workers %s: %v", s, err)
		}
	}
	for _, s := range v.reusePort {
		if on, err := strconv.ParseBool(s); err == nil {
			for i := range c.programs {
				c.programs[i].ReusePort = on
			}
			continue
		}
		p, _, err := c.target("reuse-port", s+"=")
		if err != nil {
			return err
		}
		p.ReusePort = true
	}
	for i := range c.programs {
		p := &c.programs[i]
		if v.stopTimeout != 0 {
			p.StopTimeout = v.stopTimeout
		}
		if v.startTimeout != 0 {
			p.StartTimeout = v.startTimeout
		}
		p.Count = p.count() // now and once: what a control group allows may change
	}
	return nil
}

// target splits NAME=VALUE; without a name the first program is meant.
func (c *config) target(flagName, s string) (*Program, string, error) {
	if len(c.programs) == 0 {
		return nil, "", usagef("--%s %s: there is no program", flagName, s)
	}
	name, value, named := strings.Cut(s, "=")
	if !named || strings.ContainsAny(name, "/:") { // a path may have '='
		return &c.programs[0], s, nil
	}
	var names []string
	for i := range c.programs {
		if c.programs[i].name() == name {
			return &c.programs[i], value, nil
		}
		names = append(names, c.programs[i].name())
	}
	return nil, "", usagef("--%s %s: no program is called %q%s", flagName, strings.TrimSuffix(s, "="), name, didYouMean(name, names))
}

// parseCount reads a number of workers.
func parseCount(s string) (int, error) {
	if s == "auto" {
		return (&Program{}).count(), nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > fleet.MaxWorkers {
		return 0, fmt.Errorf("%q is not a number of workers; write 1 to %d, or auto for one a CPU", s, fleet.MaxWorkers)
	}
	return n, nil
}

// specs are the programs as data.
func (c *config) specs() []fleet.Spec { return specs(c.programs) }

// environment is the process's, for parseCommandLine.
func environment(name string) (string, bool) { return os.LookupEnv(name) }
