package logs

import (
	"testing"
	"time"

	"github.com/jay-go/jay/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// await waits for done, but not for long.
func await(limit time.Duration, done <-chan struct{}) {
	select {
	case <-done:
	case <-time.After(limit):
	}
}
