package blocking

import (
	"testing"
)

// module is the one whose code is analysed.
const module = "github.com/jay-go/jay"

// computes are packages that only compute; what of them may wait is in waits.
func computes() []string {
	return []string{
		"bytes", "cmp", "context", "encoding/json", "errors", "fmt", "log/slog", "maps", "math", "math/bits", "math/rand/v2", "path", "path/filepath", "reflect", "slices",
		"sort", "strconv", "strings", "sync/atomic", "time", "unicode", "unicode/utf8", "unsafe",
	}
}

func waits() []string {
	return []string{
		"fmt.Print", "fmt.Printf", "fmt.Println", "fmt.Fprint", "fmt.Fprintf", "fmt.Fprintln", "fmt.Scan", "fmt.Scanf", "fmt.Scanln",
		"fmt.Fscan", "fmt.Fscanf", "fmt.Fscanln", "time.Sleep", "path/filepath.EvalSymlinks", "path/filepath.Glob", "path/filepath.Walk", "path/filepath.WalkDir",
		"path/filepath.Abs",
		"(*encoding/json.Encoder).Encode", "(*encoding/json.Decoder).Decode", "(*encoding/json.Decoder).Token",
	}
}

func elsewhere() []string {
	return []string{"(*sync.WaitGroup).Go", "time.AfterFunc", "context.AfterFunc", "(*net/http.ServeMux).HandleFunc"}
}

// TestOwnerDoesNotBlock: the goroutine that owns a master makes no call that can
// block.
func TestOwnerDoesNotBlock(t *testing.T) {
	p, err := Load("..", module, module+"/supervise", module+"/control", module+"/internal/logs", module+"/internal/bytejson", module+"/internal/sys", module+"/internal/cgroup", module+"/internal/addr", module+"/internal/fleet", module+"/internal/stack")
	if err != nil {
		t.Fatal(err)
	}
	r := ownerRules()
	found, unused := p.Find(r)
	for _, f := range found {
		t.Error(f)
	}
	for _, u := range unused {
		t.Errorf("nothing needs the rule %q", u)
	}
	for _, name := range []string{
		"(*internal/fleet.Machine).Step", "(*internal/fleet.Machine).advance", "(*supervise.master).endDescribe", "(*supervise.controlServer).command$1", "(*supervise.master).upgrade",
	} {
		if !p.Reaches(r, name) {
			t.Errorf("the walk does not come to %s, which the owner calls", name)
		}
	}
}
