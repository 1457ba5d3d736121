// Package stack reads the stacks of goroutines, for those who have to say where
// a program hangs.
package stack

import (
	"bytes"
	"fmt"
	"path"
	"runtime"
	"strings"
)

// most bounds what All returns: the stacks of some ten thousand goroutines.
const most = 64 << 20

// All returns the stacks of all goroutines, in the form of a crash. The process
// stands still meanwhile.
func All() []byte {
	for size := 1 << 16; ; size *= 4 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size || size >= most {
			return buf[:n]
		}
	}
}

// ID is the number of the calling goroutine, as its stack shows it.
func ID() int64 {
	var id int64
	buf := make([]byte, 64)
	fmt.Sscanf(string(buf[:runtime.Stack(buf, false)]), "goroutine %d ", &id)
	return id
}

// Of finds the stack of one goroutine in what All has returned; nil when it is
// not there.
func Of(all []byte, id int64) []byte {
	header := fmt.Appendf(nil, "goroutine %d [", id)
	for one := range bytes.SplitSeq(all, []byte("\n\n")) {
		if bytes.HasPrefix(one, header) {
			return one
		}
	}
	return nil
}

// Framework is the path of the module whose functions Where looks past.
const Framework = "github.com/jay-go/jay"

// Where names the callback that a goroutine of the framework is in, with its
// file and line: "main.answer (main.go:34)". Where there is none it names the
// innermost function; "" when stack is none.
func Where(stack []byte) string {
	where, called := "", false
	lines := strings.Split(string(stack), "\n")
	for i := 1; i+1 < len(lines) && !strings.HasPrefix(lines[i], "created by "); i += 2 {
		function := lines[i]
		if end := strings.LastIndexByte(function, '('); end > 0 {
			function = function[:end]
		}
		ours := isOurs(function)
		if ours && called {
			break
		}
		if !ours || where == "" {
			where, called = fmt.Sprintf("%s (%s)", path.Base(function), place(lines[i+1])), !ours
		}
	}
	return where
}

func isOurs(function string) bool {
	rest, ok := strings.CutPrefix(function, Framework)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '/')
}

// place shortens "\t/src/main.go:34 +0x1d" to "main.go:34".
func place(line string) string {
	file, _, _ := strings.Cut(strings.TrimSpace(line), " ")
	return path.Base(file)
}
