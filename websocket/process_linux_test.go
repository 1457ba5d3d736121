package websocket_test

import (
	"testing"

	"github.com/jay-go/jay/internal/exampletest"
)

// The conformance cases against the program that users can start.
func TestConformanceOfTheProcess(t *testing.T) {
	addr := exampletest.StartOther(t, "wsecho", "--workers", "1").Addr("wsecho")
	t.Run("frames", func(t *testing.T) { playAll(t, addr) })
	t.Run("handshakes", func(t *testing.T) { playHandshakes(t, addr) })
}
