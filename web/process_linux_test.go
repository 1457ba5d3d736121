package web_test

import (
	"testing"

	"github.com/jay-go/jay/internal/exampletest"
)

// The conformance cases against the program that users can start.
func TestConformanceOfTheProcess(t *testing.T) {
	t.Parallel()
	s := exampletest.StartOther(t, "bodyecho", "--workers", "1", "--header-timeout", "3s", "--idle-timeout", "3s")
	playAll(t, s.Addr("bodyecho"))
}
