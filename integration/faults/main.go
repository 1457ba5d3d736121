// Faults injects the faults of its list into real processes, by the tests that
// do so, and writes what came of each as a table.
//
//	go run ./faults -out ../docs/faults.md
//
// Run it in the integration directory, as root and with the programs that
// .ci/run installs: a fault that cannot be injected is reported as not run, and
// is a failure like any other. -only takes a regular expression of faults.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("faults", flag.ContinueOnError)
	out := flags.String("out", "", "file to write the table to; standard output if empty")
	only := flags.String("only", "", "regular expression of the faults to inject")
	if err := flags.Parse(args); err != nil {
		return err
	}
	pattern, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("-only %s: %w", *only, err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var chosen []fault
	for _, f := range list() {
		if pattern.MatchString(f.name) {
			chosen = append(chosen, f)
		}
	}
	results, err := inject(ctx, chosen)
	if err != nil {
		return err
	}
	table := render(chosen, results, machine(), time.Now())
	if *out == "" {
		fmt.Print(table)
	} else if err := os.WriteFile(*out, []byte(table), 0o644); err != nil {
		return err
	}
	if bad := failures(chosen, results); len(bad) > 0 {
		return fmt.Errorf("%d of %d faults: %s", len(bad), len(chosen), strings.Join(bad, "; "))
	}
	return nil
}

// machine says where the faults were injected.
func machine() string {
	var u unix.Utsname
	kernel := "unknown system"
	if err := unix.Uname(&u); err == nil {
		release := strings.Split(unix.ByteSliceToString(u.Release[:]), ".")
		kernel = unix.ByteSliceToString(u.Sysname[:]) + " " + strings.Join(release[:min(len(release), 2)], ".")
	}
	version, err := exec.Command("go", "env", "GOVERSION").Output()
	if err != nil {
		version = []byte("unknown Go")
	}
	return kernel + ", " + strings.TrimSpace(string(version))
}
