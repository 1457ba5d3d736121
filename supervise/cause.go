package supervise

import (
	"fmt"
	"strings"
)

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
	case signal != "":
		return "signal: " + signal
	case code != 0 && text != "":
		return fmt.Sprintf("exit %d: %s", code, text)
	case code != 0:
		return fmt.Sprintf("exit %d", code)
	}
	return "exit 0"
}

// printable makes foreign text safe for a terminal and a log: control
// characters and what is not UTF-8 become \xNN, and at most n bytes are kept.
func printable(s string, n int) string {
	clean := true
	for i := 0; i < len(s) && clean; i++ {
		clean = s[i] >= ' ' && s[i] < 0x7f
	}
	if !clean {
		s = escape(s)
	}
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n], "") + "…"
	}
	return s
}

func escape(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '\t':
			b.WriteByte('\t')
		case r == '\uFFFD' && s[i] != 0xef, r < ' ', r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r >= 0x80 && r < 0xa0, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
