package supervise

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"io"
	"slices"

	"github.com/jay-go/jay/control"
)

// An Extension is what a package adds to a service that wants it: flags,
// commands and programs. Whatever main runs as, it is asked for the same ones, so
// it must not depend on what one process alone sees.
type Extension struct {
	// Name says in errors whose addition is meant: that of the package.
	Name string

	// Flags registers flags. They reach the workers, survive reload and upgrade, and
	// read JAY_… variables, as the package's own. It may be called more than once.
	Flags func(*flag.FlagSet)

	// Commands are added to the command line.
	Commands []Command

	// Programs gives the programs to add, behind those of Options; none is nil. It is
	// called when the flags are set. What it returns as an error is wrong usage.
	Programs func() ([]Program, error)
}

// A Command is an addition to the command line.
type Command struct {
	// Name is the word; Args is what stands after it, for help: "SUBJECT [TEXT]".
	Name, Args string

	// Usage is one line for help, Help is what help says of this command beyond
	// that.
	Usage, Help string

	// Flags are the names of the flags that it heeds, beside --run-dir: help says
	// so. Any other is accepted and does nothing.
	Flags []string

	// Run does it. ctx ends with SIGINT and SIGTERM. An error is exit code 1 and a
	// line on standard error, one that is ErrUsage exit code 2, and one that is
	// ErrNotRunning exit code 3.
	Run func(ctx context.Context, call Call) error
}

// Call is one use of a command.
type Call struct {
	Args           []string        // what stands after the command's name, without flags
	Client         *control.Client // of the service, whether or not it runs
	RunDir         string          // of the service
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// ErrUsage says that a command was used wrongly.
var ErrUsage = errors.New("wrong usage")

// checkExtensions finds commands that cannot be: two of one name, and such
// without one.
func checkExtensions(o *Options) error {
	owners := map[string]string{}
	for _, info := range builtinCommands() {
		owners[info.name] = "the supervisor"
	}
	for _, e := range o.Extensions {
		for _, c := range e.Commands {
			switch owner := owners[c.Name]; {
			case c.Run == nil:
				return usagef("%s: command %q has no Run function", e.who(), c.Name)
			case !isWord(c.Name):
				return usagef("%s: command %q; use small letters, digits and -", e.who(), c.Name)
			case owner != "":
				return usagef("%s: command %s is defined by %s already; give it another name", e.who(), c.Name, owner)
			}
			owners[c.Name] = e.who()
		}
	}
	return nil
}

func (e *Extension) who() string { return "extension " + or(e.Name, "without a name") }

// isWord reports whether a command line can have a word as a command.
func isWord(s string) bool {
	for i, r := range s {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && (r != '-' || i == 0) {
			return false
		}
	}
	return s != ""
}

// addFlags adds the flags of the extensions, and those of package flag, to the
// package's own.
func (o *Options) addFlags(fs *flag.FlagSet) error {
	owners := map[string]string{}
	fs.VisitAll(func(f *flag.Flag) { owners[f.Name] = "the supervisor" })
	var failed error
	add := func(who string, from *flag.FlagSet) {
		from.VisitAll(func(f *flag.Flag) {
			if owner := owners[f.Name]; owner != "" {
				failed = cmp.Or(failed, usagef("flag -%s is defined by %s and by %s; give one of them another name", f.Name, owner, who))
				return
			}
			owners[f.Name] = who
			fs.Var(f.Value, f.Name, f.Usage)
		})
	}
	for i := range o.Extensions {
		e := &o.Extensions[i]
		if e.Flags == nil {
			continue
		}
		own := flag.NewFlagSet(e.Name, flag.ContinueOnError)
		e.Flags(own)
		add(e.who(), own)
	}
	add("the program", flag.CommandLine)
	return failed
}

// addedPrograms are those of the extensions.
func (o *Options) addedPrograms(have []Program) (added []Program, err error) {
	for i := range o.Extensions {
		e := &o.Extensions[i]
		if e.Programs == nil {
			continue
		}
		list, err := e.Programs()
		if err != nil {
			return nil, usagef("%s: %w", e.who(), err)
		}
		for _, p := range list {
			if slices.ContainsFunc(slices.Concat(have, added), func(other Program) bool { return other.name() == p.name() }) {
				return nil, usagef("%s: a program is called %s already; give one of them another Name", e.who(), p.name())
			}
			added = append(added, p)
		}
	}
	return added, nil
}

// find is the command of an extension, nil where there is none of that name.
func (o *Options) find(name string) *Command {
	for i := range o.Extensions {
		for j := range o.Extensions[i].Commands {
			if c := &o.Extensions[i].Commands[j]; c.Name == name {
				return c
			}
		}
	}
	return nil
}

// commandTable is every command, in the order of help.
func (o *Options) commandTable() []commandInfo {
	list := builtinCommands()
	for _, e := range o.Extensions {
		for _, c := range e.Commands {
			list = append(list, commandInfo{c.Name, c.Args, c.Usage, append([]string{"run-dir"}, c.Flags...), c.Help})
		}
	}
	return list
}
