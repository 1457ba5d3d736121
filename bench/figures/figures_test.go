package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestParseWrk(t *testing.T) {
	const report = `Running 1m test @ http://127.0.0.1:1/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   614.48us  152.91us   3.80ms   87.30%
    Req/Sec   103.41k     5.60k  113.00k    80.00%
  103406 requests in 1.00s, 11.34MB read
`
	for _, tt := range []struct {
		name, out string
		want      int
		err       string
	}{
		{"good", report, 103406, ""},
		{"failed connections", report + "  Socket errors: connect 0, read 3, write 0, timeout 0\n", 0, "met failures"},
		{"refusals", report + "  Non-2xx or 3xx responses: 12\n", 0, "met failures"},
		{"nothing answered", strings.Replace(report, "103406", "0", 1), 0, "no answer"},
		{"another program", "usage: wrk\n", 0, "no number"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseWrk(tt.out)
			if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("parseWrk = %d, %v; want %d, %q", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestSpread(t *testing.T) {
	for _, tt := range []struct {
		name              string
		values            []float64
		low, middle, high float64
	}{
		{"none", nil, 0, 0, 0},
		{"one", []float64{2}, 2, 2, 2},
		{"odd", []float64{3, 1, 2}, 1, 2, 3},
		{"even", []float64{4, 1, 2, 3}, 1, 2.5, 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if l, m, h := spread(tt.values); l != tt.low || m != tt.middle || h != tt.high {
				t.Errorf("spread = %v %v %v, want %v %v %v", l, m, h, tt.low, tt.middle, tt.high)
			}
		})
	}
}

func TestVerdict(t *testing.T) {
	of := func(goal, v float64) result {
		return result{figure{name: "cost", goal: goal, unit: "µs"}, []value{{"floor", 100, ""}, {"jay", v, "much"}}}
	}
	for _, tt := range []struct {
		name  string
		r     result
		short bool
		fails bool
	}{
		{"met", of(2, 2), false, false},
		{"missed", of(2, 2.1), false, true},
		{"short forgives", of(2, 5.9), true, false},
		{"short does not forgive all", of(2, 6.1), true, true},
		{"no goal", of(0, 1e9), false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := verdict([]result{tt.r}, tt.short); (err != nil) != tt.fails {
				t.Errorf("verdict = %v, want an error: %v", err, tt.fails)
			}
		})
	}
}

func TestRender(t *testing.T) {
	met := result{figures[0], []value{{"floor", 1, "4.00 µs"}, {"jay", 1.2, "1.20 × floor"}}}
	missed := result{figures[1], []value{{"jay", 2.1, "2.10 × floor"}}}
	met.figure.missing, missed.figure.missing = "nothing is amiss", "the moon was full"
	got := render([]string{"Date: today"}, []result{met, missed})
	for _, want := range []string{"- Date: today\n", "## CPU per request\n", "Goal for jay: ≤ 1.25 × floor.", "| jay | 1.20 × floor |\n",
		"Goal for jay: ≤ 2 × floor, **missed**.", "| jay | 2.10 × floor |\n\nthe moon was full\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("the report lacks %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, met.figure.missing) {
		t.Errorf("a goal that was met is explained:\n%s", got)
	}
}

// TestTable holds the table of figures to what the measuring relies on.
func TestTable(t *testing.T) {
	names := map[string]bool{}
	for _, f := range slices.Concat(figures, callFigures, connectionFigures, webSocketFigures) {
		if names[f.name] {
			t.Errorf("two figures are called %q", f.name)
		}
		names[f.name] = true
		hasJay := f.codecs != nil && f.codecs()[0].Name == jay.name
		for _, s := range f.servers {
			hasJay = hasJay || s.name == jay.name
		}
		if !hasJay || f.what == "" || f.measure == nil || f.unit == "" {
			t.Errorf("%s is incomplete", f.name)
		}
		if f.load.connections > 0 && (f.unit != "× "+f.servers[0].name || f.servers[1].name != jay.name) {
			t.Errorf("%s: what jay is held against comes first and jay second: a short run measures these two", f.name)
		}
	}
}

func TestOptions(t *testing.T) {
	o, err := parseOptions([]string{"-short"})
	if err != nil || o.rounds != 3 || o.seconds != 1 || !o.only.MatchString("anything") {
		t.Errorf("-short: %+v, %v", o, err)
	}
	o, err = parseOptions([]string{"-only", "CPU", "-rounds", "2"})
	if err != nil || o.rounds != 2 || o.seconds != 3 || !o.only.MatchString(figures[0].name) {
		t.Errorf("-only CPU -rounds 2: %+v, %v", o, err)
	}
	if _, err := parseOptions([]string{"-only", "("}); err == nil || !regexp.MustCompile("missing closing").MatchString(err.Error()) {
		t.Errorf("-only (: %v", err)
	}
}
