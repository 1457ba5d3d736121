package supervise

import (
	"fmt"

	"github.com/jay-go/jay/internal/logs"
)

// killVerdict says who is behind a SIGKILL; it is what the cause ends in.
type killVerdict string

const (
	killedBySomebody killVerdict = "" // the master included
	killedForMemory  killVerdict = " (out of memory)"
	killedPerhaps    killVerdict = " (out of memory?)" // there is no telling
)

// exitCause says in words how a process ended. fatal and last are the telling
// and the last line of its standard error, "" where there is none.
func exitCause(code int, signal string, verdict killVerdict, fatal, last string) string {
	text := fatal
	if text == "" {
		text = last
	}
	text = logs.Printable(text, 200)
	switch {
	case signal == "killed":
		return "signal: killed" + string(verdict)
	case signal != "" && fatal != "":
		return "signal: " + signal + ": " + text
	case signal != "":
		return "signal: " + signal
	case code != 0 && text != "":
		return fmt.Sprintf("exit %d: %s", code, text)
	case code != 0:
		return fmt.Sprintf("exit %d", code)
	}
	return "exit 0"
}
