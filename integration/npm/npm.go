// Package npm fetches packages for Node, the clients of some tests.
package npm

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/jay-go/jay/internal/needs"
)

// Install fetches an npm package, once for this user, and returns the folder
// that has it.
func Install(t *testing.T, name string) (modules string) {
	t.Helper()
	program := needs.Program(t, "npm")
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "jay-integration", name)
	modules = filepath.Join(dir, "node_modules")
	if _, err := os.Stat(modules); err == nil {
		return modules
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	fresh, err := os.MkdirTemp(filepath.Dir(dir), "new-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(fresh)
	var out []byte
	for range 3 { // the network may fail
		cmd := exec.Command(program, "install", "--prefix", fresh, "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", name)
		if out, err = cmd.CombinedOutput(); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatalf("npm install %s: %v\n%s", name, err, out)
	}
	if err := os.Rename(fresh, dir); err != nil {
		if _, there := os.Stat(modules); there != nil { // nor did another run put it there meanwhile
			t.Fatal(err)
		}
	}
	return modules
}
