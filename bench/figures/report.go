package main

import (
	"fmt"
	"slices"
	"strings"
)

// spread returns the least, the median and the greatest of values.
func spread(values []float64) (low, middle, high float64) {
	if len(values) == 0 {
		return 0, 0, 0
	}
	s := slices.Sorted(slices.Values(values))
	middle = s[len(s)/2]
	if len(s)%2 == 0 {
		middle = (s[len(s)/2-1] + middle) / 2
	}
	return s[0], middle, s[len(s)-1]
}

// render is docs/figures.md.
func render(about []string, results []result) string {
	var b strings.Builder
	b.WriteString("# Figures\n\n" +
		"What jay costs, beside its peers. `make figures` measures all of it again and writes this file.\n" +
		"The server has one core, the client the other, unless it says otherwise; servers take turns, round after round, each time as a fresh process;\n" +
		"a figure is the median of the rounds, with the least and the greatest in brackets. CPU is what the kernel accounted\n" +
		"to the server's processes (master and worker, user and system time), divided by what was done for it, as the client counted.\n" +
		"The floor is a C program of ours (bench/figures/floor/floor.c) that parses nothing and sends fixed bytes, as many as jay does.\n" +
		"Every HTTP server answers `Hello, World!` as text/plain.\n\n")
	for _, line := range about {
		fmt.Fprintf(&b, "- %s\n", line)
	}
	for _, r := range results {
		goal := r.figure.goalText()
		if r.missed(1) {
			goal += ", **missed**"
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s. Goal for jay: %s.\n\n| server | %s |\n|---|---|\n",
			r.figure.name, upperFirst(r.figure.what), goal, r.figure.name)
		for _, v := range r.values {
			fmt.Fprintf(&b, "| %s | %s |\n", v.server, v.text)
		}
		if r.missed(1) && r.figure.missing != "" {
			fmt.Fprintf(&b, "\n%s\n", r.figure.missing)
		}
	}
	return b.String()
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
