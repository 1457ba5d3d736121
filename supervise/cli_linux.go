package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/internal/bytejson"
	"github.com/jay-go/jay/internal/fleet"
	"github.com/jay-go/jay/internal/logs"
	"github.com/jay-go/jay/internal/sys"
)

// runCommand carries out the command of the command line.
func runCommand(o *Options, c *config) error {
	out := &printed{to: os.Stdout}
	c.out = out
	err := carryOut(o, c)
	if err == nil && out.err != nil {
		return fmt.Errorf("%s: %w", c.command, out.err)
	}
	return err
}

// printed is standard output that remembers why it could not be written.
type printed struct {
	to  io.Writer
	err error // the first
}

func (p *printed) Write(b []byte) (int, error) {
	n, err := p.to.Write(b)
	if p.err == nil {
		p.err = err
	}
	return n, err
}

func carryOut(o *Options, c *config) error {
	if err := c.checkArgs(o); err != nil {
		return err
	}
	switch c.command {
	case "version":
		info, _ := debug.ReadBuildInfo() // nil where there is none
		writeVersion(c.out, c.prog, c.version, info)
		return nil
	case "help":
		return help(o, c, c.out)
	case "completion":
		return completion(o, c, c.out)
	}
	if err := procIsThere(); err != nil {
		return fmt.Errorf("%s: %w", c.command, err)
	}
	if err := c.findRunDir(); err != nil {
		return err
	}
	client, err := c.ownClient()
	if err != nil {
		return err
	}
	switch c.command {
	case "start":
		return start(o, c)
	case "check":
		return check(c)
	case "status":
		return status(c, client)
	case "top":
		return watchStatus(c, client)
	case "connections":
		return connections(c, client)
	case "logs":
		return showLogs(c, client)
	case "restart":
		return restart(o, c, client)
	case "stop", "reload", "upgrade", "scale", "reopen-logs":
		return operate(c, client)
	}
	return c.runAdded(o.find(c.command), client)
}

// procIsThere refuses a system whose /proc does not show this process: what a program
// is, who has a lock and what a start needs is all read there.
func procIsThere() error {
	if _, err := os.Stat("/proc/self/exe"); err != nil {
		return fmt.Errorf("%w: a proc file system is needed at /proc; mount -t proc proc /proc", err)
	}
	return nil
}

// runAdded carries out the command of an extension.
func (c *config) runAdded(command *Command, client *control.Client) error {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	err := command.Run(ctx, Call{
		Args: c.args, Client: client, RunDir: c.runDir, Stdin: os.Stdin, Stdout: c.out, Stderr: os.Stderr,
	})
	switch {
	case errors.Is(err, ErrUsage):
		return usagef("%s: %w", c.command, err)
	case errors.Is(err, control.ErrNotRunning):
		return c.noAnswer(c.command, err)
	case err != nil:
		return fmt.Errorf("%s: %w", c.command, err)
	}
	return nil
}

// checkArgs refuses words that the command does not take.
func (c *config) checkArgs(o *Options) error {
	switch c.command {
	case "scale":
		if len(c.args) == 2 && !strings.Contains(c.args[0], "=") { // NAME N
			c.args = []string{c.args[0] + "=" + c.args[1]}
		}
		if len(c.args) != 1 {
			return usagef("scale takes NAME=N, for example: %s scale %s=4", c.prog, c.programs[0].name())
		}
		return nil
	case "completion", "help":
		if len(c.args) > 1 {
			return usagef("%s takes no %q", c.command, c.args[1])
		}
		return nil
	}
	if len(c.args) > 0 && o.find(c.command) == nil {
		return usagef("%s takes no %q; for help write: %s help", c.command, c.args[0], c.prog)
	}
	return nil
}

func start(o *Options, c *config) error {
	if c.daemon {
		return runDaemon(o, c)
	}
	return runForeground(o, c)
}

// restart replaces a running service, or starts one.
func restart(o *Options, c *config, client *control.Client) error {
	if held, err := (&runDir{path: c.runDir}).look(); err != nil {
		return c.failure("restart", err)
	} else if !held {
		return start(o, c)
	}
	return operate(c, client)
}

// operate sends a command that changes the service and waits for the result.
func operate(c *config, client *control.Client) error {
	body, err := c.commandBody()
	if err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	client.OnWaits = func(op control.Operation) {
		fmt.Fprintf(os.Stderr, "%s: %s waits: %s\n", logs.Printable(c.prog, 500), c.command, logs.Printable(op.Waits, 500))
	}
	detail, gone, err := client.Do(ctx, c.command, body)
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: interrupted; it goes on in the master (status shows it)", c.command)
	case err != nil:
		return c.failure(c.command, err)
	case gone && c.command != "stop":
		return fmt.Errorf("%s: the master has ended meanwhile", c.command)
	}
	if !c.quiet {
		fmt.Fprintln(c.out, result(c.command, detail)+problems(detail))
	}
	return nil
}

func (c *config) commandBody() (commandBody, error) {
	b := commandBody{NoLimit: c.noLimit}
	if c.command != "scale" {
		return b, nil
	}
	name, value, ok := strings.Cut(c.args[0], "=")
	n, err := parseCount(value)
	if !ok || err != nil {
		return b, usagef("scale %s: write NAME=N with N from 1 to %d, for example %s=4", c.args[0], fleet.MaxWorkers, c.programs[0].name())
	}
	b.Program, b.Count = name, n
	return b, nil
}

// result says in a line what a command has done.
func result(command string, detail map[string]any) string {
	switch command {
	case "stop":
		return "stopped"
	case "restart":
		return "restarted"
	case "reload", "upgrade":
		return fmt.Sprintf("%s done: generation %v%s", command, detail["generation"], together(detail))
	case "scale":
		return fmt.Sprintf("%v has %v workers%s", detail["program"], detail["workers"], together(detail))
	}
	return command + " done"
}

// status prints the status; its exit code is the service's state (LSB).
func status(c *config, client *control.Client) error {
	if c.watch {
		return watchStatus(c, client)
	}
	ctx, cancel := context.WithTimeout(context.Background(), control.AnswerTimeout)
	defer cancel()
	b, err := client.Get(ctx, "/v1/status")
	if err != nil {
		return c.noAnswer("status", err)
	}
	var s control.Status
	if err := bytejson.Decode(b, &s); err != nil {
		return fmt.Errorf("status: %w", err)
	}
	out := screenOf(os.Stdout)
	if c.json {
		out.Write(b)
	} else {
		printStatus(out, s, c.runDir)
	}
	if _, err := out.WriteTo(c.out); err != nil {
		return fmt.Errorf("status: %w", err)
	}
	if s.State != "running" && s.State != "reloading" {
		return exitError{code: exitFailed}
	}
	for _, p := range s.Programs {
		if p.Ready < p.Want {
			return exitError{code: exitFailed}
		}
	}
	for _, w := range s.Workers {
		if w.State == "silent" {
			return exitError{code: exitFailed}
		}
	}
	return nil
}

func connections(c *config, client *control.Client) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	all := control.ConnectionList{Connections: []control.ConnectionRow{}, Missing: []int{}}
	for after := ""; ; {
		page, err := client.Connections(ctx, c.filter, after, 1000)
		if err != nil {
			return c.noAnswer("connections", err)
		}
		all.Connections = append(all.Connections, page.Connections...)
		all.Missing = mergeMissing(all.Missing, page.Missing)
		all.Unlisted = mergeMissing(all.Unlisted, page.Unlisted)
		if after = page.Next; after == "" {
			break
		}
	}
	if err := sortConnections(all.Connections, c.sort); err != nil {
		return err
	}
	if c.json {
		b, err := bytejson.Encode(all)
		if err != nil {
			return fmt.Errorf("connections: %w", err)
		}
		c.out.Write(append(b, '\n'))
		return nil
	}
	out := screenOf(os.Stdout)
	printConnections(out, all)
	out.WriteTo(c.out)
	return nil
}

// masterHolds reports whether a master has the run directory.
func masterHolds(dir string) bool { return (&runDir{path: dir}).held() }

func isTerminal(f *os.File) bool {
	terminal := false
	onFD(f, func(fd int) error { terminal = sys.IsTerminal(fd); return nil })
	return terminal
}

// hasCommand reports whether a command does something on this system.
func hasCommand(string) bool { return true }
