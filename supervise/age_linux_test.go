package supervise

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/fleet"
	"github.com/jay-go/jay/internal/sys"
)

// TestAgeIsNoMatterOfTheWallClock: what goes through an upgrade has lost its
// monotonic reading. A worker's age, and the service's, come from a clock that
// no administrator sets.
func TestAgeIsNoMatterOfTheWallClock(t *testing.T) {
	m := &master{}
	young := &fleet.Worker{Started: fleet.Instant(sys.Monotonic())}
	if age := m.age(young); age < 0 || age > time.Hour {
		t.Errorf("a worker that has just started is %v old, since the clock was set", age)
	}
	spec := &fleet.Spec{MaxAge: time.Hour}
	if why := served(spec, 0, 0, m.age(young), 0); why != "" {
		t.Errorf("it is replaced: %s", why)
	}
	judged := regexp.MustCompile(`(Since|Until)\([a-z.]*(startedAt|StartedAt|Started|started)\)|\.Sub\([a-z.]*(startedAt|StartedAt|Started|started)\)`)
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if use := judged.Find(b); use != nil && !bytes.HasSuffix([]byte(file), []byte("_test.go")) {
			t.Errorf("%s: %s; the wall clock is for display", file, use)
		}
	}
}
