package websocket

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/needs"
	"github.com/jay-go/jay/websocket"
)

// wsPackage is the client of TestNPM.
const wsPackage = "ws@8.18.3"

// offer is what npm ws offers; see its documentation. What is nil is absent.
type offer struct {
	ServerNoContextTakeover *bool `json:"serverNoContextTakeover,omitempty"`
	ClientNoContextTakeover *bool `json:"clientNoContextTakeover,omitempty"`
	ServerMaxWindowBits     *int  `json:"serverMaxWindowBits,omitempty"`
	ClientMaxWindowBits     any   `json:"clientMaxWindowBits"` // false: absent; true: without a value
}

// offers is every combination of the four parameters.
func offers() (all []offer) {
	yes, nine, fifteen := true, 9, 15
	for _, server := range []*bool{nil, &yes} {
		for _, client := range []*bool{nil, &yes} {
			for _, serverBits := range []*int{nil, &nine, &fifteen} {
				for _, clientBits := range []any{false, true, 9, 15} {
					all = append(all, offer{server, client, serverBits, clientBits})
				}
			}
		}
	}
	return all
}

// TestNPM: whatever npm ws offers, messages of all sizes come back, text and
// binary, whole and in fragments.
func TestNPM(t *testing.T) {
	node := needs.Program(t, "node")
	modules := install(t, wsPackage)
	all, err := json.Marshal(offers())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []websocket.Deflate{
		{},
		{ServerTakeover: true, ClientTakeover: true},
		{ServerTakeover: true, ClientWindowBits: 9},
		{ClientTakeover: true, ServerWindowBits: 9, ClientWindowBits: 9},
	} {
		t.Run(fmt.Sprintf("%+v", d), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, node, "testdata/matrix.js", "ws://"+serve(t, d), string(all))
			cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
			out, err := cmd.CombinedOutput()
			want := len(offers()) * 4 * len(sizes)
			if err != nil || strings.TrimSpace(string(out)) != fmt.Sprint(want) {
				t.Errorf("%v, want %d messages:\n%s", err, want, out)
			}
		})
	}
}

// install fetches an npm package, once for this user, and returns the folder
// that has it.
func install(t *testing.T, name string) (modules string) {
	t.Helper()
	npm := needs.Program(t, "npm")
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
		cmd := exec.Command(npm, "install", "--prefix", fresh, "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", name)
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
