package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// root is the module that the tests are of, seen from the integration module.
const root = ".."

// A test is named by its package's directory and its function.
type test struct{ dir, name string }

func (t test) String() string { return t.dir + " " + t.name }

// outcome is how a test ended.
type outcome struct {
	passed   bool
	cases    int // subtests that passed; 0: it has none
	seconds  float64
	measured []string
	said     []string // its output, where it has not passed
}

// event is what test2json says (go doc test2json).
type event struct {
	Action, Test, Output, Key, Value string
	Elapsed                          float64
}

// inject runs the tests of all faults, one package after the other so that
// what they measure does not depend on each other.
func inject(ctx context.Context, faults []fault) (map[test]*outcome, error) {
	var dirs []string
	names := map[string][]string{}
	for _, f := range faults {
		for _, t := range f.tests {
			if !slices.Contains(dirs, t.dir) {
				dirs = append(dirs, t.dir)
			}
			if !slices.Contains(names[t.dir], t.name) {
				names[t.dir] = append(names[t.dir], t.name)
			}
		}
	}
	results := map[test]*outcome{}
	for _, dir := range dirs {
		fmt.Fprintf(os.Stderr, "%s: %s\n", dir, strings.Join(names[dir], " "))
		cmd := exec.CommandContext(ctx, "go", "test", "-json", "-count=1", "-run", "^("+strings.Join(names[dir], "|")+")$", "./"+dir)
		cmd.Dir = root
		out, err := cmd.Output()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
			return nil, fmt.Errorf("go test ./%s: %w", dir, errors.Join(err, ctx.Err()))
		}
		if err := collect(results, dir, bytes.NewReader(out)); err != nil {
			return nil, fmt.Errorf("go test ./%s: %w", dir, err)
		}
	}
	return results, nil
}

// collect adds what a run of a package's tests says of each.
func collect(results map[test]*outcome, dir string, r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return fmt.Errorf("%w: %.200s", err, lines.Bytes())
		}
		if e.Test == "" {
			continue
		}
		name, _, isCase := strings.Cut(e.Test, "/")
		o := results[test{dir, name}]
		if o == nil {
			o = &outcome{}
			results[test{dir, name}] = o
		}
		switch {
		case e.Action == "attr" && e.Key == "measured":
			o.measured = append(o.measured, e.Value)
		case e.Action == "output":
			o.said = append(o.said, strings.TrimRight(e.Output, "\n"))
		case isCase && e.Action == "pass":
			o.cases++
		case !isCase && (e.Action == "pass" || e.Action == "fail" || e.Action == "skip"):
			o.passed, o.seconds = e.Action == "pass", e.Elapsed
		}
	}
	return lines.Err()
}

// why is the telling part of what a test said that has not passed.
func (o *outcome) why() string {
	if o == nil {
		return "there is no such test"
	}
	for _, line := range o.said {
		if i := strings.Index(line, "_test.go:"); i >= 0 {
			if _, text, ok := strings.Cut(line[i:], ": "); ok {
				return text
			}
		}
	}
	for _, line := range o.said {
		if strings.HasPrefix(line, "panic: ") {
			return line
		}
	}
	return "it says nothing"
}
