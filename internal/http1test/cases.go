// Package http1test has the conformance cases of HTTP/1.1, for tests alone.
package http1test

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/json"
	"testing"
)

// Case is what a client sends, and what a server may do then: one line of a file
// in testdata.
type Case struct {
	Variant bool `json:"-"` // one of our own

	Name             string     `json:"name"`
	Group            string     `json:"group"`
	Level            string     `json:"level"`
	Why              string     `json:"why"`
	Raw              string     `json:"raw"`
	Expect           []string   `json:"expect"`
	MaxResponses     int        `json:"max_responses"`
	Responses        [][]string `json:"responses"`
	Methods          []string   `json:"methods"`
	Body             *string    `json:"body"`
	Split            any        `json:"split"`
	Then             string     `json:"then"`
	HalfClose        bool       `json:"half_close"`
	HoldS            any        `json:"hold_s"`
	DripMS           int        `json:"drip_ms"`
	OKClose          bool       `json:"ok_close"`
	No100            bool       `json:"no_100"`
	NoResponseHeader string     `json:"no_response_header"`
}

// Bytes returns what to send: Raw has a character for each byte.
func (c *Case) Bytes() (b []byte) {
	for _, r := range c.Raw {
		b = append(b, byte(r))
	}
	return b
}

//go:embed testdata/http.jsonl
var foreign []byte

//go:embed testdata/variants.jsonl
var ours []byte

// Cases returns all of them.
func Cases(t testing.TB) []*Case {
	cases, variants := parse(t, foreign), parse(t, ours)
	for _, c := range variants {
		c.Variant = true
	}
	if len(cases) < 200 || len(variants) < 900 {
		t.Fatalf("only %d cases and %d variants", len(cases), len(variants))
	}
	return append(cases, variants...)
}

func parse(t testing.TB, file []byte) (cases []*Case) {
	lines := bufio.NewScanner(bytes.NewReader(file))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		c := new(Case)
		if err := json.Unmarshal(lines.Bytes(), c); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	return cases
}
