package needs_test

import (
	"fmt"
	"testing"

	"github.com/jay-go/jay/internal/needs"
)

// fake records how a test would have ended; the calls that end a test panic.
type fake struct {
	testing.TB
	ended string
}

func (f *fake) Helper()           {}
func (f *fake) Skip(args ...any)  { f.end("skip: " + fmt.Sprint(args...)) }
func (f *fake) Fatal(args ...any) { f.end("fatal: " + fmt.Sprint(args...)) }

func (f *fake) end(how string) {
	f.ended = how
	panic(f)
}

func TestProgram(t *testing.T) {
	const missing = "needs the program no-such-program, which is not in PATH"
	for _, tt := range []struct{ name, ci, program, want string }{
		{"there", "", "go", ""},
		{"there, in CI", "1", "go", ""},
		{"absent", "", "no-such-program", "skip: " + missing},
		{"absent, in CI", "1", "no-such-program", "fatal: " + missing},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("JAY_CI", tt.ci)
			f := &fake{}
			var path string
			func() {
				defer func() { _ = recover() }()
				path = needs.Program(f, tt.program)
			}()
			if f.ended != tt.want {
				t.Errorf("ended with %q, want %q", f.ended, tt.want)
			}
			if tt.want == "" && path == "" {
				t.Error("no path")
			}
		})
	}
}
