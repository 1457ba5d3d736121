package http1

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// modelHead is a ResponseHead as plain as can be.
type modelHead struct{ lines [][2]string }

func (m *modelHead) del(name string) {
	m.lines = slices.DeleteFunc(m.lines, func(l [2]string) bool { return strings.EqualFold(l[0], name) })
}

func (m *modelHead) text() string {
	var b strings.Builder
	for _, l := range m.lines {
		b.WriteString(l[0] + ": " + l[1] + "\r\n")
	}
	return b.String()
}

// Whatever a program does to a head, it holds what was accepted, in order, and
// each line is one line: the head cannot be split.
func TestResponseHeadIsWhatWasSet(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	names := []string{"A", "a", "Server", "sErVeR", "Date", "Content-Type", "content-type", "Set-Cookie", "X-Y", "Content-Length", "Transfer-Encoding", "Connection"}
	pieces := []string{"a", "0", "12", " ", "\t", "\r\n", "\n", "\x00", "\x7f", "\xe9", ":", "-", "long enough for words"}
	random := func() string {
		var b strings.Builder
		for range r.IntN(4) {
			b.WriteString(pieces[min(r.IntN(30), len(pieces)-1)])
		}
		return b.String()
	}
	for range 2000 {
		h, m := new(ResponseHead), new(modelHead)
		for range r.IntN(12) {
			name, value := names[r.IntN(len(names))], random()
			if r.IntN(8) == 0 {
				name = random()
			}
			before := m.text()
			var err error
			switch r.IntN(5) {
			case 0:
				h.Del(name)
				m.del(name)
			case 1:
				if err = h.Add(name, value); err == nil {
					m.lines = append(m.lines, [2]string{name, value})
				}
			case 2:
				if err = h.SetContentType(value); err == nil {
					m.del("Content-Type")
					m.lines = append(m.lines, [2]string{"Content-Type", value})
				}
			default:
				if err = h.Set(name, value); err == nil {
					m.del(name)
					m.lines = append(m.lines, [2]string{name, value})
				}
			}
			if err != nil && string(h.lines) != before {
				t.Fatalf("%v has changed\n%q to\n%q", err, before, h.lines)
			}
			if string(h.lines) != m.text() {
				t.Fatalf("got\n%q, want\n%q", h.lines, m.text())
			}
			if strings.Count(m.text(), "\n") != len(m.lines) || strings.ContainsAny(strings.ReplaceAll(m.text(), "\r\n", ""), "\r\n\x00") {
				t.Fatalf("split: %q", m.text())
			}
			if h.Get(name) != m.get(name) {
				t.Fatalf("Get(%q) = %q of %q", name, h.Get(name), m.text())
			}
		}
	}
}

func (m *modelHead) get(name string) string {
	for _, l := range m.lines {
		if strings.EqualFold(l[0], name) {
			return l[1]
		}
	}
	return ""
}
