package supervise

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jay-go/jay/internal/logs"
)

// A screen collects what is shown at once, in tables that are made to fit its width.
type screen struct {
	bytes.Buffer
	width int
	cut   bool // a cell was too long, and is shown in part
}

// leastWidth is what tables need at least.
const leastWidth = 40

// screenOf is standard output, as wide as COLUMNS says, or as the terminal is, or 80
// columns, so that a table looks the same in a pipe.
func screenOf(f *os.File) *screen {
	width, err := strconv.Atoi(os.Getenv("COLUMNS"))
	if err != nil || width <= 0 {
		if _, width = terminalSize(f); width <= 0 {
			width = 80
		}
	}
	return &screen{width: max(width, leastWidth)}
}

// table prints rows under a header, columns aligned. Columns that do not fit beside
// the others come in further tables, which begin with the first column too. Cells are
// made safe for a terminal; an empty one is shown as "-".
func (s *screen) table(header []string, rows [][]string) {
	all := append([][]string{header}, rows...)
	width := make([]int, len(header))
	for i := range header { // the first column decides on the room for the others
		for _, row := range all {
			row[i] = s.fit(logs.Printable(or(row[i], "-"), 500), width[0], i)
			width[i] = max(width[i], utf8.RuneCountInString(row[i]))
		}
	}
	for first := 1; ; fmt.Fprintln(s) {
		end, used := first, width[0]
		for end < len(header) && (end == first || used+2+width[end] <= s.width) {
			used += 2 + width[end]
			end++
		}
		for _, row := range all {
			var b strings.Builder
			pad(&b, row[0], width[0])
			for i := first; i < end; i++ {
				b.WriteString("  ")
				pad(&b, row[i], width[i])
			}
			if line := strings.TrimRight(b.String(), " "); line != "" {
				fmt.Fprintln(s, line)
			}
		}
		if first = end; first >= len(header) {
			return
		}
	}
}

// numbers writes a line of text with numbers behind it, or as many lines as these take.
func (s *screen) numbers(line string, numbers []int) {
	for _, n := range numbers {
		next := " " + strconv.Itoa(n)
		if utf8.RuneCountInString(line)+len(next) > s.width {
			fmt.Fprintln(s, line)
			line = ""
		}
		line += next
	}
	fmt.Fprintln(s, line)
}

// fit cuts a cell that would not fit beside the first of its row.
func (s *screen) fit(cell string, beside, column int) string {
	room := s.width - 2 - beside
	if column == 0 {
		room = s.width / 2
	}
	if room = max(room, leastWidth/4); utf8.RuneCountInString(cell) <= room {
		return cell
	}
	s.cut = true
	return string([]rune(cell)[:room-1]) + "…"
}

func pad(b *strings.Builder, cell string, width int) {
	b.WriteString(cell)
	b.WriteString(strings.Repeat(" ", width-utf8.RuneCountInString(cell)))
}

// line prints parts one beside the other, on as many lines as they need.
func (s *screen) line(parts ...string) {
	used := 0
	for _, part := range parts {
		part = logs.Printable(part, 500)
		n := utf8.RuneCountInString(part)
		switch {
		case used > 0 && used+3+n <= s.width:
			fmt.Fprint(s, "   ")
			used += 3
		case used > 0:
			fmt.Fprintln(s)
			used = 0
		}
		fmt.Fprint(s, part)
		used += n
	}
	fmt.Fprintln(s)
}

// rest says how to see what was cut.
func (s *screen) rest(how string) {
	if s.cut {
		s.line("… is cut", how, "so has a larger COLUMNS")
	}
}

func mergeMissing(a, b []int) []int {
	a = append(a, b...)
	slices.Sort(a)
	return slices.Compact(a)
}

// age prints a duration for people: "3d4h", "5m7s", "1.2s".
func age(d time.Duration) string {
	switch {
	case d >= 24*time.Hour:
		return fmt.Sprintf("%dd%dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%.1fs", d.Seconds())
}

// size prints bytes with a binary unit.
func size(n int64) string {
	f, units := float64(n), "BKMGT"
	for f >= 1024 && len(units) > 1 {
		f, units = f/1024, units[1:]
	}
	if units[0] == 'B' {
		return strconv.FormatInt(n, 10)
	}
	return fmt.Sprintf("%.1f%c", f, units[0])
}

// number0 prints a number that means nothing when it is zero.
func number0(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// together says that a change was made for several commands.
func together(detail map[string]any) string {
	switch n, asked := detail["together"], detail["asked"]; {
	case n == nil:
		return ""
	case asked == nil:
		return fmt.Sprintf(" (one change for %v commands)", n)
	default:
		return fmt.Sprintf(" (one change for %v commands; this one asked for %v)", n, asked)
	}
}

// problems says which addresses of the service do not lead to it.
func problems(detail map[string]any) (text string) {
	list, _ := detail["problems"].([]any)
	for _, p := range list {
		text += "\nclients do not reach " + logs.Printable(fmt.Sprint(p), 500)
	}
	return text
}
