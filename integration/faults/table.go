package main

import (
	"fmt"
	"strings"
	"time"
)

// render writes the table.
func render(faults []fault, results map[test]*outcome, machine string, now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Faults

What jay survives, and what the clients see of it. Each fault is injected into real processes by the tests that the table
names, and judged from outside. `+"`make faults`"+` injects them all and writes this file; CI does the same, and fails where one
could not be injected. `+"`make soak`"+` is all of it for longer: ten minutes of mixed load with a reload every ten seconds and a crash every
fifteen; only what is on its way at a crash may fail, and descriptors, goroutines and memory have to be back where they were.

%s, %s
`, now.Format("2 January 2006"), machine)
	kind := ""
	for _, f := range faults {
		if f.kind != kind {
			kind = f.kind
			fmt.Fprintf(&b, "\n## %s\n\n| fault | what holds | shown by | result |\n|---|---|---|---|\n", kind)
		}
		var shown []string
		for _, t := range f.tests {
			shown = append(shown, "`"+t.name+"` in "+place(t.dir))
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", cell(f.name), cell(f.holds), strings.Join(shown, ", "), cell(verdict(f, results)))
	}
	return b.String()
}

// verdict sums up the outcomes of a fault's tests.
func verdict(f fault, results map[test]*outcome) string {
	var bad, measured []string
	cases := 0
	for _, t := range f.tests {
		o := results[t]
		if o == nil || !o.passed {
			bad = append(bad, t.name+": "+o.why())
			continue
		}
		cases += max(o.cases, 1)
		measured = append(measured, o.measured...)
	}
	if len(bad) > 0 {
		return "**not passed**: " + strings.Join(bad, "; ")
	}
	text := "passed"
	if cases > 1 {
		text = fmt.Sprintf("passed, %d cases", cases)
	}
	if len(measured) > 0 {
		text += ": " + strings.Join(measured, "; ")
	}
	return text
}

// failures names the faults that were not survived or not injected.
func failures(faults []fault, results map[test]*outcome) (bad []string) {
	for _, f := range faults {
		if v := verdict(f, results); !strings.HasPrefix(v, "passed") {
			bad = append(bad, f.name+" "+v)
		}
	}
	return bad
}

// cell keeps a text within a cell of the table.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(s)
}

func place(dir string) string {
	if dir == "." {
		return "the root"
	}
	return dir
}
