package supervise

import (
	"errors"
	"fmt"
	"os"

	"github.com/jay-go/jay/internal/logs"
)

// Exit codes of the command line.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitStopped = 3 // status: not running (LSB)
)

// exitError is an error with an exit code of its own, and nothing more to say
// where its text is empty.
type exitError struct {
	code int
	text string
}

func (e exitError) Error() string { return e.text }

// Main runs the command line of the process and exits it. In a worker it runs
// the worker's program.
func (o *Options) Main() { os.Exit(o.main()) }

// fail reports an error as the command line does and gives the exit code.
func fail(prog string, err error) int {
	if err == nil {
		return exitDone
	}
	if text := err.Error(); text != "" {
		fmt.Fprintf(os.Stderr, "%s: %s\n", logs.Printable(prog, 500), logs.Printable(text, 8000))
	}
	var exit exitError
	var usage usageError
	switch {
	case errors.As(err, &exit):
		return exit.code
	case errors.As(err, &usage):
		return exitUsage
	}
	return exitFailed
}
