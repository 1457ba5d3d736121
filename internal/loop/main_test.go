package loop_test

import (
	"testing"

	"github.com/jay-go/jay/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }
