package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// said is a run of three tests: one passes with two cases and a measurement,
// one fails, one is skipped.
const said = `{"Action":"start","Package":"p"}
{"Action":"run","Test":"TestA"}
{"Action":"attr","Test":"TestA","Key":"measured","Value":"6 ms"}
{"Action":"pass","Test":"TestA/x","Elapsed":0.1}
{"Action":"pass","Test":"TestA/y","Elapsed":0.1}
{"Action":"pass","Test":"TestA","Elapsed":1.5}
{"Action":"output","Test":"TestB","Output":"    b_test.go:12: 3 requests | failed\n"}
{"Action":"fail","Test":"TestB","Elapsed":0.1}
{"Action":"output","Test":"TestC","Output":"    needs.go:9: needs to run as root\n"}
{"Action":"output","Test":"TestC","Output":"    c_test.go:7: needs to run as root\n"}
{"Action":"skip","Test":"TestC","Elapsed":0}
{"Action":"fail","Elapsed":2}
`

func TestTable(t *testing.T) {
	results := map[test]*outcome{}
	if err := collect(results, "p", strings.NewReader(said)); err != nil {
		t.Fatal(err)
	}
	faults := []fault{
		{"Processes", "one", "holds", []test{{"p", "TestA"}}},
		{"Processes", "two", "holds", []test{{"p", "TestA"}, {"p", "TestB"}}},
		{"Processes", "three", "holds", []test{{"p", "TestC"}}},
		{"Processes", "four", "holds", []test{{"p", "TestD"}}},
	}
	table := render(faults, results, "a machine", time.Now())
	for _, row := range []string{
		"| one | holds | `TestA` in p | passed, 2 cases: 6 ms |",
		"| two | holds | `TestA` in p, `TestB` in p | **not passed**: TestB: 3 requests \\| failed |",
		"| three | holds | `TestC` in p | **not passed**: TestC: needs to run as root |",
		"| four | holds | `TestD` in p | **not passed**: TestD: there is no such test |",
	} {
		if !strings.Contains(table, row+"\n") {
			t.Errorf("the table lacks %q:\n%s", row, table)
		}
	}
	if got := failures(faults, results); len(got) != 3 {
		t.Errorf("failures %q, want three", got)
	}
}

// TestList: the tests that the list names exist, and the table that is in the
// documentation has all its faults.
func TestList(t *testing.T) {
	written, err := os.ReadFile("../../docs/faults.md")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]string{} // what go test -list says, by directory
	for _, f := range list() {
		if !strings.Contains(string(written), "| "+cell(f.name)+" | "+cell(f.holds)+" |") {
			t.Errorf("docs/faults.md lacks %q as it is listed; make faults writes it", f.name)
		}
		for _, one := range f.tests {
			if known[one.dir] == "" {
				cmd := exec.Command("go", "test", "-list", ".", "./"+one.dir)
				cmd.Dir = "../.."
				out, err := cmd.Output()
				if err != nil {
					t.Fatalf("%v: %v", cmd, err)
				}
				known[one.dir] = "\n" + string(out)
			}
			if !strings.Contains(known[one.dir], "\n"+one.name+"\n") {
				t.Errorf("%s: there is no test %v", f.name, one)
			}
		}
	}
}
