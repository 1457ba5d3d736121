// Typecheck type-checks the packages of a module, and their tests, for some
// systems. It does so from source, that of the standard library included, which
// takes a tenth of what go vet takes: that compiles every dependency for each
// system first. A file that no system of -vetted builds is an error, too: go vet
// for those has seen all others.
//
//	typecheck -vetted "GOOS/GOARCH..." DIRECTORY GOOS/GOARCH...
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

func main() {
	vetted := flag.String("vetted", "", "systems that go vet runs for, separated by spaces")
	flag.Parse()
	if flag.NArg() < 2 {
		flag.Usage()
		os.Exit(2)
	}
	code := 0
	fail := func(err error) {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	seen := map[string]bool{}    // by go vet; by file
	built := map[string]string{} // the system; by file
	for _, target := range flag.Args()[1:] {
		files, err := check(flag.Arg(0), target)
		if err != nil {
			fail(fmt.Errorf("for %s:\n%w", target, err))
		}
		for _, file := range files {
			built[file] = target
			seen[file] = seen[file] || slices.Contains(strings.Fields(*vetted), target)
		}
	}
	for file, target := range built {
		if !seen[file] {
			fail(fmt.Errorf("%s is built for %s, and for no system that go vet runs for: %s", file, target, *vetted))
		}
	}
	os.Exit(code)
}

// check returns the files of all packages below a directory, and every error.
func check(dir, target string) (files []string, err error) {
	system, arch, ok := strings.Cut(target, "/")
	if !ok {
		return nil, fmt.Errorf("%q is not GOOS/GOARCH", target)
	}
	list, err := packages.Load(&packages.Config{
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedImports | packages.NeedDeps |
			packages.NeedTypes | packages.NeedSyntax | packages.NeedTypesSizes | packages.NeedModule,
		Dir: dir, Tests: true,
		Env: append(os.Environ(), "GOOS="+system, "GOARCH="+arch, "CGO_ENABLED=0"),
	}, "./...")
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, errors.New("there are no packages")
	}
	var all []error
	told := map[string]bool{} // a package is also part of its tests
	packages.Visit(list, nil, func(p *packages.Package) {
		for _, err := range p.Errors {
			if text := err.Error(); !told[text] {
				told[text] = true
				all = append(all, errors.New(text))
			}
		}
	})
	for _, p := range list {
		if !strings.HasSuffix(p.PkgPath, ".test") { // a main function that is generated
			files = append(files, p.GoFiles...)
		}
	}
	return files, errors.Join(all...)
}
