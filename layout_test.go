package jay_test

import (
	"bufio"
	"cmp"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/jay-go/jay"

// A row is one line of the package table of docs/architecture.md.
type row struct {
	pattern  string   // "loop", "examples/*"; "." is the root
	ours     []string // patterns of our packages it may import; "any public" is one
	external []string // module paths
	testOnly bool     // its text says "tests only": importable from _test.go files alone
}

// TestLayout holds the imports of every file against the package table.
func TestLayout(t *testing.T) {
	rows := packageTable(t)
	for file, imports := range goFiles(t, ".") {
		dir := path.Dir(file)
		r, ok := find(rows, dir)
		if !ok {
			t.Errorf("%s: package %s has no row in docs/architecture.md; add one that says what it may import", file, dir)
			continue
		}
		for _, imp := range imports {
			if why := refuse(rows, r, file, imp); why != "" {
				t.Errorf("%s imports %s: %s", file, imp, why)
			}
		}
	}
}

// TestRefuse is the proof that TestLayout can fail.
func TestRefuse(t *testing.T) {
	rows := packageTable(t)
	for _, tt := range []struct {
		name, file, imp string
		allowed         bool
	}{
		{"standard library", "loop/loop.go", "net/http", true},
		{"root imports loop", "conn.go", module + "/loop", true},
		{"loop imports root", "internal/loop/loop.go", module, false},
		{"loop imports supervise", "internal/loop/loop.go", module + "/supervise", false},
		{"supervise imports loop", "supervise/master.go", module + "/loop", false},
		{"supervise imports internal", "supervise/master.go", module + "/internal/sys", true},
		{"web imports other internals", "web/request.go", module + "/internal/sys", false},
		{"web imports what lies below it", "web/request.go", module + "/internal/http1", true},
		{"HTTP/1 imports what lies above it", "internal/http1/conn.go", module + "/web", false},
		{"a web test imports internal", "web/request_test.go", module + "/internal/leak", true},
		{"a web test drains", "web/request_test.go", module + "/supervise", true},
		{"web imports supervise", "web/request.go", module + "/supervise", false},
		{"code imports what is for tests", "conn.go", module + "/internal/leak", false},
		{"cmd imports a public package", "cmd/jay/main.go", module + "/web", true},
		{"cmd imports internal", "cmd/jay/main.go", module + "/internal/sys", false},
		{"loop imports x/sys", "internal/loop/epoll_linux.go", "golang.org/x/sys/unix", true},
		{"web imports x/sys", "web/request.go", "golang.org/x/sys/unix", false},
		{"a module nobody may use", "conn.go", "github.com/valyala/fasthttp", false},
		{"a module whose name begins alike", "internal/loop/loop.go", "golang.org/x/system", false},
		{"itself, from its x_test", "web/request_test.go", module + "/web", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, ok := find(rows, path.Dir(tt.file))
			if !ok {
				t.Fatalf("no row for %s", tt.file)
			}
			if why := refuse(rows, r, tt.file, tt.imp); (why == "") != tt.allowed {
				t.Errorf("%s imports %s: refused with %q, want allowed %v", tt.file, tt.imp, why, tt.allowed)
			}
		})
	}
}

// TestModules asks the go command which modules a user of the root and of
// supervise gets, on every system: those of the table, and no others.
func TestModules(t *testing.T) {
	rows := packageTable(t)
	for _, goos := range []string{"linux", "darwin", "freebsd", "windows"} {
		for _, pkg := range []string{".", "./supervise"} {
			cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}} {{$.ImportPath}}{{end}}", pkg)
			cmd.Env = append(os.Environ(), "GOOS="+goos, "GOFLAGS=-mod=readonly")
			cmd.Stderr = os.Stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("GOOS=%s %s: %v", goos, cmd, err)
			}
			for _, got := range undeclared(rows, string(out)) {
				t.Errorf("GOOS=%s: %s brings in module %s, which no row of the packages it uses allows", goos, pkg, got)
			}
		}
	}
}

// TestNamedFiles: a file that the documents name is there, so that whoever follows
// them arrives.
func TestNamedFiles(t *testing.T) {
	there := map[string]bool{} // by path and by name
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(p, ".go") {
			there[filepath.ToSlash(p)], there[d.Name()] = true, true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	docs, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, doc := range append(docs, "README.md", "CONTRIBUTING.md") {
		text, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile("`([a-z0-9_./*-]+\\.go)`").FindAllStringSubmatch(string(text), -1) {
			named++
			if strings.Contains(name[1], "*") {
				if !anyMatches(there, name[1]) {
					t.Errorf("%s names %s, and nothing is called so", doc, name[1])
				}
			} else if !there[name[1]] {
				t.Errorf("%s names %s, which is not there", doc, name[1])
			}
		}
	}
	if named < 40 {
		t.Errorf("only %d names were found", named)
	}
}

func anyMatches(names map[string]bool, pattern string) bool {
	for name := range names {
		if ok, _ := path.Match(pattern, name); ok {
			return true
		}
	}
	return false
}

// undeclared returns the modules in a listing of "module package" lines that
// are external to none of the rows of our packages in the same listing.
func undeclared(rows []row, listing string) []string {
	allowed := []string{module}
	var seen []string
	for line := range strings.Lines(listing) {
		mod, pkg, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			continue
		}
		seen = append(seen, mod)
		if r, ok := find(rows, ourDir(pkg)); ok && mod == module {
			allowed = append(allowed, r.external...)
		}
	}
	slices.Sort(seen)
	return slices.DeleteFunc(slices.Compact(seen), func(mod string) bool { return slices.Contains(allowed, mod) })
}

// refuse says why file, in a package of row r, may not import imp; "" is yes.
func refuse(rows []row, r row, file, imp string) string {
	isTest := strings.HasSuffix(file, "_test.go")
	if imp == module || strings.HasPrefix(imp, module+"/") {
		dir := ourDir(imp)
		internal := strings.HasPrefix(dir, "internal/")
		target, _ := find(rows, dir)
		switch {
		case dir == path.Dir(file), isTest && (internal || dir == "supervise"):
			return ""
		case target.testOnly && !r.testOnly:
			return dir + " is for tests"
		case slices.Contains(r.ours, "any public") && !internal:
			return ""
		case slices.ContainsFunc(r.ours, func(pattern string) bool { return matches(pattern, dir) }):
			return ""
		}
		return "row " + r.pattern + " allows of ours: " + cmp.Or(strings.Join(r.ours, ", "), "nothing")
	}
	if first, _, _ := strings.Cut(imp, "/"); !strings.Contains(first, ".") {
		return "" // standard library
	}
	for _, mod := range r.external {
		if imp == mod || strings.HasPrefix(imp, mod+"/") {
			return ""
		}
	}
	return "row " + r.pattern + " allows of others: " + cmp.Or(strings.Join(r.external, ", "), "nothing")
}

func ourDir(imp string) string {
	return cmp.Or(strings.TrimPrefix(strings.TrimPrefix(imp, module), "/"), ".")
}

func find(rows []row, dir string) (row, bool) {
	i := slices.IndexFunc(rows, func(r row) bool { return matches(r.pattern, dir) })
	if i < 0 {
		return row{}, false
	}
	return rows[i], true
}

func matches(pattern, dir string) bool {
	ok, _ := path.Match(pattern, dir)
	return ok
}

// packageTable reads the table of docs/architecture.md: cells package, does,
// may import (ours), external. A name such as x/sys stands for
// golang.org/x/sys, owner/name for github.com/owner/name.
func packageTable(t *testing.T) []row {
	t.Helper()
	f, err := os.Open("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rows []row
	for sc := bufio.NewScanner(f); sc.Scan(); {
		cells := strings.Split(strings.Trim(sc.Text(), "| "), " | ")
		if len(cells) != 4 || !strings.HasPrefix(cells[0], "`") {
			continue
		}
		name := strings.Split(cells[0], "`")[1]
		r := row{pattern: name, ours: list(cells[2], ourPattern), external: list(cells[3], modulePath)}
		if name == "jay" {
			r.pattern = "."
		}
		r.testOnly = strings.Contains(cells[1], "tests only")
		rows = append(rows, r)
	}
	if len(rows) < 5 {
		t.Fatalf("docs/architecture.md: %d rows in the package table, which cannot be all", len(rows))
	}
	return rows
}

func list(cell string, expand func(string) string) []string {
	var all []string
	for name := range strings.SplitSeq(cell, ",") {
		if name = strings.TrimSpace(name); name != "-" && name != "" {
			all = append(all, expand(name))
		}
	}
	return all
}

func ourPattern(name string) string {
	if name == "root" {
		return "."
	}
	return name
}

func modulePath(name string) string {
	if rest, ok := strings.CutPrefix(name, "x/"); ok {
		return "golang.org/x/" + rest
	}
	return "github.com/" + name
}

// goFiles returns the imports of every Go file under root, by slash-separated
// path, without modules of their own and testdata.
func goFiles(t *testing.T, root string) map[string][]string {
	t.Helper()
	files := map[string][]string{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != root && (skipped(d.Name()) || hasModule(name)) {
				return filepath.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(name, ".go") {
			files[filepath.ToSlash(name)] = importsOf(t, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func skipped(dir string) bool {
	return dir == "testdata" || strings.HasPrefix(dir, ".") || strings.HasPrefix(dir, "_")
}

func hasModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

func importsOf(t *testing.T, name string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
	if err != nil {
		t.Error(err)
		return nil
	}
	var all []string
	for _, spec := range f.Imports {
		imp, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Errorf("%s: import %s: %v", name, spec.Path.Value, err)
		}
		all = append(all, imp)
	}
	return all
}
