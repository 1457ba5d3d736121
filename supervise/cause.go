package supervise

import "fmt"

// exitCause says in words how a process ended. fatal and last are the telling
// and the last line of its standard error, "" where there is none; killed says
// that the master did it.
func exitCause(code int, signal string, killed bool, fatal, last string) string {
	text := fatal
	if text == "" {
		text = last
	}
	text = printable(text, 200)
	switch {
	case signal == "killed" && !killed:
		return "signal: killed (out of memory?)"
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
