package e2e

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// programs returns the Go programs in a Markdown file.
func programs(t *testing.T, file string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?ms)^```go\n(package main\n.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		all = append(all, m[1])
	}
	return all
}

// TestDocumentedPrograms builds every program that the documentation shows,
// in a module of its own as a user would, starts it, and uses those that uses names.
func TestDocumentedPrograms(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), userModule(t, root))
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "go.sum"), string(sum))
	sources := map[string]string{} // by name
	for _, doc := range []string{"README.md", "docs/programs.md", "docs/from-workerman.md"} {
		found := programs(t, filepath.Join(root, doc))
		if len(found) == 0 {
			t.Errorf("%s shows no program", doc)
		}
		for i, source := range found {
			name := fmt.Sprintf("%s-%d", strings.TrimSuffix(filepath.Base(doc), ".md"), i+1)
			write(t, filepath.Join(dir, name, "main.go"), source)
			sources[name] = source
		}
	}
	const first = "README-1"
	writeTogether(t, filepath.Join(dir, "together"), sources)
	for _, argv := range [][]string{{"vet", "./..."}, {"build", "-ldflags=-s -w", "-o", "bin/", "./" + first, "./together"}} {
		cmd := exec.Command("go", argv...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(argv, " "), err, out)
		}
	}
	for name, source := range sources {
		t.Run(name, func(t *testing.T) {
			bin := filepath.Join(dir, "bin", name)
			if name != first {
				if err := os.Link(filepath.Join(dir, "bin", "together"), bin); err != nil {
					t.Fatal(err)
				}
			}
			args := []string{"--workers", "1", "--listen", "127.0.0.1:0"}
			if strings.Contains(source, `"back"`) {
				args = append(args, "--listen", "back=127.0.0.1:0")
			}
			s := launchBinary(t, bin, runDir(t), args...)
			s.waitReady()
			if use := uses[name]; use != nil {
				use(t, s.addr)
			}
			if n := strings.Count(source, "\n"); strings.HasPrefix(name, "programs-") && (n >= 120 || uses[name] == nil) {
				t.Errorf("the program has %d lines, want fewer than 120 and a use", n)
			}
		})
	}
}

// writeTogether makes a program of all of them that is the one whose name it is
// started by. Each is vetted, and so compiles, by itself; linking takes a second
// of the processor, and this is linked once.
func writeTogether(t *testing.T, dir string, sources map[string]string) {
	t.Helper()
	var imports, cases strings.Builder
	for i, name := range slices.Sorted(maps.Keys(sources)) {
		pkg := fmt.Sprintf("p%d", i)
		write(t, filepath.Join(dir, pkg, "main.go"), strings.Replace(sources[name], "package main\n", "package "+pkg+"\n", 1))
		write(t, filepath.Join(dir, pkg, "start.go"), "package "+pkg+"\n\nfunc Main() { main() }\n")
		fmt.Fprintf(&imports, "\t%q\n", "example/together/"+pkg)
		fmt.Fprintf(&cases, "\tcase %q:\n\t\t%s.Main()\n", name, pkg)
	}
	write(t, filepath.Join(dir, "main.go"), "package main\n\nimport (\n\t\"os\"\n\t\"path/filepath\"\n\n"+imports.String()+
		")\n\nfunc main() {\n\tswitch filepath.Base(os.Args[0]) {\n"+cases.String()+
		"\tdefault:\n\t\tpanic(os.Args[0])\n\t}\n}\n")
}

// userModule is the go.mod of somebody who uses a checkout of jay.
func userModule(t *testing.T, root string) string {
	t.Helper()
	ours, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	lines := slices.Collect(strings.Lines(string(ours)))
	return "module example\n" + strings.Join(lines[1:], "") +
		"\nrequire github.com/jay-go/jay v0.0.0\nreplace github.com/jay-go/jay => " + root + "\n"
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
