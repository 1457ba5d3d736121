package supervise

import (
	"fmt"
	"strings"

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
	text = logs.Printable(text, 200) + wanting(text)
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

// wanting says in words what a process has not got, where Go's runtime or the C
// library has said in theirs why it ends the process.
func wanting(text string) string {
	for _, says := range []string{"pthread_create failed", "newosproc"} {
		if strings.Contains(text, says) {
			return ": no thread is to be had: there are too many (ulimit -u, pids.max of the control group), or too little address space (ulimit -v)"
		}
	}
	for _, says := range []string{"out of memory", "cannot allocate memory", "failed to reserve", "cannot map pages"} {
		if strings.HasPrefix(text, "fatal error: ") && strings.Contains(text, says) {
			return ": no memory is to be had (of the machine, of the control group, or for ulimit -v or -d)"
		}
	}
	return ""
}
