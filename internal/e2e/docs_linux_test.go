package e2e

import (
	"fmt"
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
// in a module of its own as a user would, and starts it.
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
	var names []string
	for _, doc := range []string{"README.md", "docs/from-workerman.md"} {
		found := programs(t, filepath.Join(root, doc))
		if len(found) == 0 {
			t.Errorf("%s shows no program", doc)
		}
		for i, source := range found {
			name := fmt.Sprintf("%s-%d", strings.TrimSuffix(filepath.Base(doc), ".md"), i+1)
			write(t, filepath.Join(dir, name, "main.go"), source)
			names = append(names, name)
		}
	}
	for _, argv := range [][]string{{"vet", "./..."}, {"build", "-o", "bin/", "./..."}} {
		cmd := exec.Command("go", argv...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(argv, " "), err, out)
		}
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			args := []string{"--workers", "1", "--listen", "127.0.0.1:0"}
			if source, _ := os.ReadFile(filepath.Join(dir, name, "main.go")); strings.Contains(string(source), `"back"`) {
				args = append(args, "--listen", "back=127.0.0.1:0")
			}
			s := launchBinary(t, filepath.Join(dir, "bin", name), runDir(t), args...)
			s.waitReady()
			if name == "README-1" {
				p := dial(t, s.addr)
				p.send(get("/"))
				if got := p.receive(); !strings.HasSuffix(got, "\r\n\r\nHello, World!\n") {
					t.Errorf("the program of the README answers %q", got)
				}
			}
		})
	}
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
