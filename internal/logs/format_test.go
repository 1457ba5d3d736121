package logs

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// hostile are pieces of text that must not reach a log as they are.
var hostile = []string{
	"a\r\nb", "\nlevel=INFO msg=forged", "\x1b]0;title\x07", "\x1b[2J", "\x00", "\x7f", "\u0085", "\u009b31m", "\xff\xfe", "\xc2", "\u202egpj.exe",
	"\u2066x\u2069", "\u2028", "\ufeff", "\U000e0041",
}

// harm names what is in a log and must not be.
func harm(log []byte) string {
	for i, r := range string(log) {
		switch {
		case r == '\n':
		case r == utf8.RuneError && log[i] != 0xef:
			return "a byte that is not UTF-8"
		case r < ' ' && r != '\t', r >= 0x7f && r < 0xa0, r >= 0x200e && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2066 && r <= 0x2069,
			r == 0xfeff, r >= 0xe0000 && r <= 0xe007f:
			return slog.StringValue(string(r)).String()
		}
	}
	return ""
}

// TestNothingHarmful: whatever a message, a key or a value is, it is one line,
// and nothing in it acts on a terminal.
func TestNothingHarmful(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		for _, s := range hostile {
			for what, log := range map[string]func(*slog.Logger){
				"message": func(l *slog.Logger) { l.Info(s) },
				"key":     func(l *slog.Logger) { l.Info("m", "k"+s, 1) },
				"string":  func(l *slog.Logger) { l.Info("m", "k", s) },
				"error":   func(l *slog.Logger) { l.Info("m", "k", errors.New(s)) },
				"any":     func(l *slog.Logger) { l.Info("m", "k", map[string]string{"x": s}) },
				"with":    func(l *slog.Logger) { l.With("k", s).WithGroup("g"+s).Info("m", "k", s) },
			} {
				var out bytes.Buffer
				log(slog.New(NewHandler(&out, format, "info")))
				checkLine(t, format+" "+what, s, out.Bytes(), format)
			}
			checkLine(t, format+" output", s, OutputLine(format, "p", 0, 1, "stderr", s), format)
			checkLine(t, format+" record", s, OutputLine(format, "p", 0, 1, "stderr", `{"msg":"`+s+`"}`), format)
		}
	}
}

func checkLine(t *testing.T, what, s string, line []byte, format string) {
	t.Helper()
	if h := harm(line); h != "" {
		t.Errorf("%s %q: %q has %q in it", what, s, line, h)
	}
	if n := bytes.Count(line, []byte("\n")); n != 1 || !bytes.HasSuffix(line, []byte("\n")) {
		t.Errorf("%s %q: %q is not one line", what, s, line)
	}
	if format == "json" && !json.Valid(line) {
		t.Errorf("%s %q: %q is not JSON", what, s, line)
	}
}

// TestHarmlessTextStays: what people write is not escaped.
func TestHarmlessTextStays(t *testing.T) {
	for _, s := range []string{"plain", "żółć", "日本語", "👩‍👩‍👧", "می\u200cخواهم", "\ufffd", "a\tb"} {
		if got := Printable(s, 100); got != s {
			t.Errorf("%q is shown as %q", s, got)
		}
	}
}

// broken is an error whose text cannot be had.
type broken struct{ text *string }

func (b *broken) Error() string { return *b.text }

// TestCappedFields: a long value is cut, and says by how much.
func TestCappedFields(t *testing.T) {
	long := strings.Repeat("é", 5<<10)
	for what, log := range map[string]func(*slog.Logger){
		"message":     func(l *slog.Logger) { l.Info(long) },
		"string":      func(l *slog.Logger) { l.Info("m", "k", long) },
		"error":       func(l *slog.Logger) { l.Info("m", "k", errors.New(long)) },
		"nil pointer": func(l *slog.Logger) { l.Info("m", "k", (*broken)(nil), "x", long) },
	} {
		var out bytes.Buffer
		log(slog.New(NewHandler(&out, "json", "info")))
		if n := out.Len(); n > maxField+500 || !strings.Contains(out.String(), "bytes more)") || !json.Valid(out.Bytes()) {
			t.Errorf("%s: %d bytes: %.200s", what, n, out.String())
		}
	}
	var out bytes.Buffer
	slog.New(NewHandler(&out, "text", "info")).Info("m", "d", 3*time.Second, "n", 7)
	if got := out.String(); !strings.Contains(got, "d=3s n=7") {
		t.Errorf("short values: %s", got)
	}
}

// TestStackCanBeRead: in a text log a stack is lines below its record, each
// indented, whatever is in it, and written with the record at once; in a JSON log
// it stays in the record's line.
func TestStackCanBeRead(t *testing.T) {
	stack := "goroutine 7 [running]:\nmain.handle(0x1)\n\t/src/main.go:12 +0x1d\n"
	for name, test := range map[string]struct {
		log  func(*slog.Logger)
		want string // after the time
	}{
		"alone":           {func(l *slog.Logger) { l.Error("panic", "stack", stack) }, "level=ERROR msg=panic\n    goroutine 7 [running]:\n    main.handle(0x1)\n    \t/src/main.go:12 +0x1d\n"},
		"among others":    {func(l *slog.Logger) { l.Error("panic", "conn", 1, "stack", "a\nb", "n", 2) }, "level=ERROR msg=panic conn=1 n=2\n    a\n    b\n"},
		"derived":         {func(l *slog.Logger) { l.With("pid", 1).WithGroup("g").Error("panic", "stack", "a", "n", 2) }, "level=ERROR msg=panic pid=1 g.n=2\n    a\n"},
		"none":            {func(l *slog.Logger) { l.Error("panic", "n", 2) }, "level=ERROR msg=panic n=2\n"},
		"forged":          {func(l *slog.Logger) { l.Error("panic", "stack", "a\r\nlevel=INFO msg=forged\n\x1b[2J\n") }, "level=ERROR msg=panic\n    a\n    level=INFO msg=forged\n    \\x1b[2J\n"},
		"of another kind": {func(l *slog.Logger) { l.Error("panic", "stack", 7) }, "level=ERROR msg=panic stack=7\n"},
		"too long":        {func(l *slog.Logger) { l.Error("panic", "stack", strings.Repeat("x\n", maxStack)) }, "level=ERROR msg=panic\n" + strings.Repeat("    x\n", maxStack/2) + "    … (6144 bytes more)\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var out writes
			test.log(slog.New(NewHandler(&out, "text", "info")))
			if len(out) != 1 {
				t.Fatalf("%d writes: %q", len(out), out)
			}
			if _, got, _ := strings.Cut(out[0], " "); got != test.want {
				t.Errorf("the log has\n%s\nwant\n%s", got, test.want)
			}
			out = nil
			test.log(slog.New(NewHandler(&out, "json", "info")))
			if len(out) != 1 || strings.Count(out[0], "\n") != 1 || !json.Valid([]byte(out[0])) {
				t.Errorf("the JSON log has %q", out)
			}
		})
	}
}

// writes keeps what was written at a time.
type writes []string

func (w *writes) Write(b []byte) (int, error) {
	*w = append(*w, string(b))
	return len(b), nil
}
