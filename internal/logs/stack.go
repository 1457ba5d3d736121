package logs

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
)

// stackKey is the attribute whose lines are below its record in a text log.
const stackKey = "stack"

// stackIndent begins each of them, so that none passes for a record.
const stackIndent = "    "

// textHandler is slog's text format but for an attribute stack of a record: its
// lines follow the record, indented, where slog would make one long line of
// them. A record and its stack are one write.
type textHandler struct {
	slog.Handler // writes into text
	text         *recordText
}

// recordText collects what is written at once; handlers derived from one another share it.
type recordText struct {
	mu sync.Mutex
	w  io.Writer
	b  bytes.Buffer // guarded by mu
}

func (t *recordText) Write(b []byte) (int, error) { return t.b.Write(b) } // called with mu held

func newTextHandler(w io.Writer, o *slog.HandlerOptions) slog.Handler {
	text := &recordText{w: w}
	return textHandler{slog.NewTextHandler(harmless{text}, o), text}
}

func (h textHandler) Handle(ctx context.Context, r slog.Record) error {
	stack := ""
	rest := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == stackKey && a.Value.Kind() == slog.KindString {
			stack += a.Value.String()
		} else {
			rest.AddAttrs(a)
		}
		return true
	})
	h.text.mu.Lock()
	defer h.text.mu.Unlock()
	h.text.b.Reset()
	if err := h.Handler.Handle(ctx, rest); err != nil {
		return err
	}
	for line := range strings.Lines(cut(stack, maxStack)) {
		h.text.b.WriteString(stackIndent + Printable(strings.TrimRight(line, "\r\n"), maxField) + "\n")
	}
	_, err := h.text.w.Write(h.text.b.Bytes())
	return err
}

func (h textHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return textHandler{h.Handler.WithAttrs(attrs), h.text}
}

func (h textHandler) WithGroup(name string) slog.Handler {
	return textHandler{h.Handler.WithGroup(name), h.text}
}

// IsStackLine reports a line of a stack, which says nothing without those before it.
func IsStackLine(line string) bool {
	return strings.HasPrefix(line, stackIndent) || strings.HasPrefix(line, "\t")
}
