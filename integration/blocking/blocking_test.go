package blocking

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// TestExample: in a small owner every call that can block is found, however it is
// reached, and nothing else.
func TestExample(t *testing.T) {
	const here = module + "/integration/blocking/testdata"
	p, err := Load(".", here, here+"/example")
	if err != nil {
		t.Fatal(err)
	}
	r := Rules{
		Roots: []string{"(*example.owner).Run"}, Computes: computes(), Except: waits(), Elsewhere: elsewhere(),
		Allowed: map[string]string{
			"(*example.owner).Run: select":     "it is what the owner waits in",
			"os/exec.Command":                  "it computes",
			"(*example.owner).unknown: select": "nothing of the name is there",
		},
	}
	found, unused := p.Find(r)
	flagged := map[string]bool{}
	for _, f := range found {
		flagged[simple(f.Caller)] = true
		if !strings.HasPrefix(simple(f.Caller), "blocks") {
			t.Errorf("found where nothing blocks: %v", f)
		}
		if len(f.Chain) == 0 || f.Chain[0] != "(*example.owner).Run" {
			t.Errorf("%v: the chain does not begin at the root", f)
		}
	}
	file, err := parser.ParseFile(token.NewFileSet(), "testdata/example/example.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range file.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(fn.Name.Name, "blocks") && !flagged[fn.Name.Name] {
			t.Errorf("%s is not found", fn.Name.Name)
		}
	}
	if len(unused) != 1 || !strings.Contains(unused[0], "unknown") {
		t.Errorf("unused rules %q, want the one of what is not there", unused)
	}
}

// simple is the last part of a function's name.
func simple(name string) string {
	name, _, _ = strings.Cut(name, "[")
	return name[strings.LastIndex(name, ".")+1:]
}
