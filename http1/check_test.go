package http1_test

import (
	"testing"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/http1"
)

// TestCheck: a protocol without a handler is told before it serves.
func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		p  jay.Checker
		ok bool
	}{
		"no Handler":     {&http1.Protocol{}, false},
		"no HandlerFunc": {http1.HandlerFunc(nil), false},
		"a Handler":      {&http1.Protocol{Handler: echoBody}, true},
		"a HandlerFunc":  {http1.HandlerFunc(echoBody), true},
	} {
		if err := c.p.Check(); err == nil != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
