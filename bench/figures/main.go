// Figures measures jay beside its peers and writes docs/figures.md.
//
//	go run ./figures -out ../docs/figures.md     everything, with its goals
//	go run ./figures -short                      few rounds, fails beyond three times a goal
//
// Run it in the bench directory. It needs gcc, wrk, nginx, redis, haproxy and socat, and two cores:
// the server has one, the client the other.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// shortLimit is how many times its goal a figure of a short run may be: such
// a run is for finding accidents, on machines that do other things meanwhile.
const shortLimit = 3.0

type options struct {
	short   bool
	rounds  int
	seconds int
	only    *regexp.Regexp
	out     string
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "figures:", err)
		os.Exit(1)
	}
}

func run() error {
	o, err := parseOptions(os.Args[1:])
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	bench, err := newBench(ctx)
	if err != nil {
		return err
	}
	defer bench.remove()
	results, err := measureAll(ctx, bench, o)
	if err != nil {
		return err
	}
	report := render(about(), results)
	if o.out == "" {
		fmt.Print(report)
	} else if err := os.WriteFile(o.out, []byte(report), 0o644); err != nil {
		return err
	}
	return verdict(results, o.short)
}

func parseOptions(args []string) (o options, err error) {
	f := flag.NewFlagSet("figures", flag.ContinueOnError)
	f.BoolVar(&o.short, "short", false, "few rounds, jay and what it is held against alone; fail only beyond three times a goal")
	f.IntVar(&o.rounds, "rounds", 0, "interleaved rounds (default 7, short 3)")
	f.IntVar(&o.seconds, "seconds", 0, "of load per server and round (default 3, short 1)")
	f.StringVar(&o.out, "out", "", "write the report to this `file` (default standard output)")
	only := f.String("only", "", "measure only the figures whose name matches this `regexp`")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	rounds, seconds := 7, 3
	if o.short {
		rounds, seconds = 3, 1
	}
	if o.rounds <= 0 {
		o.rounds = rounds
	}
	if o.seconds <= 0 {
		o.seconds = seconds
	}
	o.only, err = regexp.Compile(*only)
	return o, err
}

func measureAll(ctx context.Context, b *bench, o options) ([]result, error) {
	var results []result
	for _, f := range slices.Concat(figures, callFigures, connectionFigures, webSocketFigures) {
		if !o.only.MatchString(f.name) {
			continue
		}
		fmt.Fprintln(os.Stderr, "measuring", f.name)
		r, err := f.measure(ctx, b, f, o)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		fmt.Fprintln(os.Stderr, "  jay:", r.jay().text)
		results = append(results, r)
	}
	return results, nil
}

// verdict fails when jay misses a goal. In a short run it may be shortLimit
// times as far.
func verdict(results []result, short bool) error {
	limit := 1.0
	if short {
		limit = shortLimit
	}
	var missed []string
	for _, r := range results {
		if r.missed(limit) {
			missed = append(missed, fmt.Sprintf("%s: %s, the goal is %s", r.figure.name, r.jay().text, r.figure.goalText()))
		}
	}
	if len(missed) > 0 {
		return fmt.Errorf("goals missed:\n  %s", strings.Join(missed, "\n  "))
	}
	return nil
}

// about says when, where and how the figures came about.
func about() []string {
	now := time.Now().UTC().Format("2006-01-02 15:04 UTC")
	return []string{
		"Date: " + now,
		"Machine: " + machine(),
		"Versions: " + versions(),
		"Command: `make figures` (`go run ./figures " + strings.Join(os.Args[1:], " ") + "` in bench/)",
	}
}

func machine() string {
	return firstMatch("/proc/cpuinfo", `model name\s*:\s*(.*)`) + ", " +
		firstMatch("/proc/meminfo", `MemTotal:\s*(.*)`) + ", Linux " +
		firstMatch("/proc/version", `version (\S+)`)
}

func versions() string {
	var all []string
	for _, v := range []struct{ name, command string }{
		{"go", "go version"}, {"gcc", "gcc -dumpfullversion"}, {"nginx", "nginx -v 2>&1"},
		{"fasthttp", "go list -m -f '{{.Version}}' github.com/valyala/fasthttp"}, {"wrk", "wrk -v 2>&1 | head -1"},
		{"redis", "redis-server --version"}, {"haproxy", "haproxy -v"}, {"socat", "socat -V | grep version"},
	} {
		out, _ := exec.Command("sh", "-c", v.command).CombinedOutput() // wrk -v exits 1
		if m := regexp.MustCompile(`v?\d+\.\d+[.\d]*`).Find(out); m != nil {
			all = append(all, v.name+" "+string(m))
		}
	}
	return strings.Join(all, ", ")
}

func firstMatch(file, expr string) string {
	b, err := os.ReadFile(file)
	if m := regexp.MustCompile(expr).FindSubmatch(b); err == nil && m != nil {
		return string(m[1])
	}
	return "unknown"
}
