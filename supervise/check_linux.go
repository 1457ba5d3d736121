package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/internal/addr"
	"github.com/jay-go/jay/internal/logs"
)

// checkLevel says what a finding means for a start.
type checkLevel string

const (
	checkOK      checkLevel = "ok"
	checkWarning checkLevel = "warning" // it starts, and will not serve as it is meant to
	checkError   checkLevel = "error"   // it does not start
)

// finding is one thing that check has looked at.
type finding struct {
	level checkLevel
	area  string
	found string
	fixes []string // each of which would cure it
}

// checker looks for what would keep a command line from starting, or from
// serving as it is meant to. It changes nothing and leaves nothing behind.
type checker struct {
	c         *config
	root      string // has proc in it; "/" but in tests
	path      string // of the program, as started
	limits    limits // nil: none
	activated []activated

	cred     *syscall.Credential // of the workers; nil: ours
	own      []addr.Addr         // what the service that runs is bound to
	findings []finding
}

// check says whether the command line would start.
func check(c *config) error {
	k := &checker{c: c, root: "/"}
	var err error
	if k.limits, err = limitsHere(); err != nil {
		return fmt.Errorf("check: %w", err)
	}
	if k.path, err = startPath(); err != nil {
		return fmt.Errorf("check: %w", err)
	}
	if k.activated, err = takeActivated(); err != nil {
		return fmt.Errorf("check: %w", err)
	}
	k.run()
	return k.conclude(c.out)
}

// run looks at everything. What others build on comes first.
func (k *checker) run() {
	k.checkPrograms()
	k.checkRunDir()
	k.checkLog()
	k.checkIdentity()
	k.checkProgramFile()
	k.checkAddresses()
	k.checkQueues()
	k.checkLimits()
	k.checkMemory()
}

func (k *checker) say(level checkLevel, area, found string, fixes ...string) {
	k.findings = append(k.findings, finding{level, area, found, fixes})
}

func (k *checker) ok(area, format string, args ...any) {
	k.say(checkOK, area, fmt.Sprintf(format, args...))
}

// conclude prints the findings and what follows from them.
func (k *checker) conclude(w io.Writer) error {
	fmt.Fprintf(w, "%s %s, run directory %s\n\n", k.c.prog, k.c.version, k.c.runDir)
	printFindings(w, k.findings, colourful())
	count := func(level checkLevel) int {
		return len(slices.DeleteFunc(slices.Clone(k.findings), func(f finding) bool { return f.level != level }))
	}
	fmt.Fprintln(w)
	if n := count(checkError); n > 0 {
		return fmt.Errorf("check: %s; it would not start", plural(n, "problem"))
	}
	if n := count(checkWarning); n > 0 {
		fmt.Fprintln(w, plural(n, "warning"))
	}
	fmt.Fprintln(w, "ok")
	return nil
}

// printFindings prints a line for each finding, and below it what to do.
func printFindings(w io.Writer, list []finding, colour bool) {
	width := 0
	for _, f := range list {
		width = max(width, len(f.area))
	}
	for _, f := range list {
		level := fmt.Sprintf("%-7s", f.level)
		if colour {
			level = map[checkLevel]string{checkOK: "\x1b[32m", checkWarning: "\x1b[33m", checkError: "\x1b[31m"}[f.level] + level + "\x1b[0m"
		}
		fmt.Fprintf(w, "%s  %-*s  %s\n", level, width, f.area, logs.Printable(f.found, 500))
		lead := "to do: "
		for _, fix := range f.fixes {
			fmt.Fprintf(w, "%*s%s%s\n", 7+2+width+2, "", lead, logs.Printable(fix, 500))
			lead = "   or: "
		}
	}
}

// colourful reports whether standard output wants colours (no-color.org).
func colourful() bool { return os.Getenv("NO_COLOR") == "" && isTerminal(os.Stdout) }

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// checkPrograms tells what would run. Addresses that cannot be read are left to
// checkAddresses.
func (k *checker) checkPrograms() {
	readable := slices.Clone(k.c.programs)
	for i := range readable {
		p := &readable[i]
		p.Listen = slices.DeleteFunc(slices.Clone(p.Listen), func(text string) bool {
			_, err := addr.Parse(text)
			return err != nil
		})
		if len(p.Listen) < len(k.c.programs[i].Listen) {
			p.Check = nil // which may be about what cannot be read
		}
	}
	if err := validate(readable); err != nil {
		k.say(checkError, "program", err.Error())
		return
	}
	for i := range k.c.programs {
		p := &k.c.programs[i]
		where := "without an address"
		if len(p.Listen) > 0 {
			where = "at " + strings.Join(p.Listen, " ")
		}
		workers := plural(p.count(), "worker")
		if p.Exclusive {
			workers += ", exclusive,"
		}
		k.ok("program", "%s: %s %s (%s)", p.name(), workers, where, or(p.Protocol, "no protocol is named"))
	}
}

// findMaster finds out whether the service runs, and where it listens.
func (k *checker) findMaster() {
	dir := &runDir{path: k.c.runDir}
	if !dir.held() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	client, err := k.c.ownClient()
	var s control.Status
	if err == nil {
		s, err = client.Status(ctx)
	}
	refused := (*control.RefusedError)(nil)
	switch {
	case errors.Is(err, control.ErrNotRunning):
		return
	case errors.As(err, &refused):
		k.say(checkError, "service", refused.Text, "choose another --run-dir")
		return
	}
	if err != nil {
		k.say(checkWarning, "service", fmt.Sprintf("it runs (pid %d) and does not answer, so what it listens on cannot be told from what others do: %v", dir.holder(), err),
			fmt.Sprintf("%s stop --run-dir %s", k.path, dir.path))
		return
	}
	for _, p := range s.Programs {
		for _, problem := range p.Problems {
			k.say(checkError, "service", fmt.Sprintf("%s: clients do not reach %s", p.Name, problem), "remove what is at the path, if nobody needs it")
		}
		for _, text := range p.Addresses {
			if a, err := addr.Parse(text); err == nil {
				k.own = append(k.own, a)
			}
		}
	}
	k.ok("service", "it runs (pid %d): this is what a restart, or a start after a stop, would find", s.PID)
}
