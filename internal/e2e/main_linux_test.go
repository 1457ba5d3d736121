package e2e

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/leak"
)

// TestMain fails when tests leave something behind, and removes what they
// have built.
func TestMain(m *testing.M) {
	if own := ownPrograms[os.Getenv(ownVariable)]; own != nil {
		own()
	}
	os.Setenv("GORACE", "atexit_sleep_ms=0") // or each command would take a second longer
	// Most of a test is waiting.
	if err := flag.Set("test.parallel", "6"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	before := leak.Take()
	code := m.Run()
	os.RemoveAll(builtDir())
	if report := before.Wait(30 * time.Second); code == 0 && report != "" {
		fmt.Fprintf(os.Stderr, "left behind:\n%s", report)
		code = 1
	}
	os.Exit(code)
}
