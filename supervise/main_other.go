//go:build !linux

package supervise

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"syscall"

	"github.com/jay-go/jay/internal/logs"
)

// main runs every program in this process: supervision is for Linux.
func (o *Options) main() int {
	prog := filepath.Base(os.Args[0])
	c, err := parseCommandLine(o, os.Args[0], os.Args[1:], environment)
	if err != nil {
		return fail(prog, err)
	}
	switch c.command {
	case "start":
		return fail(prog, o.startHere(c))
	case "version":
		info, _ := debug.ReadBuildInfo() // nil where there is none
		writeVersion(os.Stdout, c.prog, c.version, info)
	case "help":
		return fail(prog, help(o, c, os.Stdout))
	case "completion":
		return fail(prog, completion(o, c, os.Stdout))
	case "check":
		if err := validate(c.programs); err != nil {
			return fail(prog, err)
		}
		fmt.Println("ok")
	default: // an addition of the program's
		return fail(prog, usagef("%s: there is no master to ask; on this system everything runs in one process", c.command))
	}
	return exitDone
}

func (o *Options) startHere(c *config) error {
	if c.daemon {
		return usagef("start -d: supervision is for Linux; on this system everything runs in one process, in the foreground")
	}
	fmt.Fprintln(os.Stderr, "note: supervision is for Linux; everything runs in this one process, and is not restarted when it exits")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	here := *o
	here.Programs = c.programs
	r := &inProcess{
		options: &here, loop: c.loop, logger: slog.New(logs.NewHandler(os.Stderr, c.logFormat, c.logLevel)),
		started: func(p *Program, sockets []Socket) {
			for _, s := range sockets {
				if !c.quiet {
					fmt.Printf("%s  %s  %s\n", p.name(), s.Addr, p.Protocol)
				}
			}
		},
	}
	return r.run(ctx)
}

func masterHolds(string) bool { return false }

// hasCommand reports whether a command does something on this system.
func hasCommand(name string) bool {
	return slices.Contains([]string{"start", "version", "help", "completion", "check"}, name)
}
