package web_test

import (
	"testing"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/web"
)

// TestCheck: a protocol without a handler is told before it serves.
func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		p  jay.Checker
		ok bool
	}{
		"no Handler":     {&web.Protocol{}, false},
		"no HandlerFunc": {web.HandlerFunc(nil), false},
		"a Handler":      {&web.Protocol{Handler: echoBody}, true},
		"a HandlerFunc":  {echoBody, true},
	} {
		if err := c.p.Check(); err == nil != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
