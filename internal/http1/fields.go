package http1

import (
	"iter"
	"math/bits"
	"slices"
)

// field is one field line as offsets into the bytes it was parsed from.
type field struct {
	name    uint32 // first byte of the name
	value   uint32 // first byte of the value, white space removed
	end     uint32 // after the last byte of the value
	nameLen uint16
	id      fieldID
}

const (
	fieldSize    = 16 // bytes of a field
	maxFieldName = 1<<16 - 1
	maxOffset    = 1<<31 - 1
)

// fieldLines parses the lines of a header or trailer section, up to and
// including the empty line that ends it. It is given all bytes so far at each
// call and looks at none of them twice.
type fieldLines struct {
	list  []field
	seen  fieldSet
	twice fieldSet

	line  int // start of the current line
	colon int // of the current line; 0 while the name is being read
	pos   int // first byte not looked at yet
}

// start prepares for a section that begins at b[at].
func (f *fieldLines) start(at int) {
	*f = fieldLines{list: f.list[:0], line: at, pos: at}
}

// scan returns the offset after the section's empty line, or 0 when more
// bytes are needed.
func (f *fieldLines) scan(b []byte, max int) (int, error) {
	i, line, colon := f.pos, f.line, f.colon
	for {
		if colon == 0 {
			for i < len(b) && classes[b[i]]&token != 0 {
				i++
			}
			if i >= len(b) {
				break
			}
			if b[i] != ':' || i == line {
				return f.lineEnd(b, line, i)
			}
			colon = i
			i++
		}
		i = scanValue(b, i)
		if i >= len(b) || i == len(b)-1 && b[i] == '\r' {
			break
		}
		if b[i] != '\r' || b[i+1] != '\n' {
			return 0, valueError(b, i)
		}
		if len(f.list) >= max {
			return 0, errTooManyFields
		}
		if !f.add(b, line, colon, i) {
			return 0, errHeadTooLarge
		}
		i += 2
		line, colon = i, 0
	}
	f.pos, f.line, f.colon = i, line, colon
	return 0, nil
}

// lineEnd decides about a line whose name is not followed by a colon: the
// section's end, or an error. b[i] is the byte after the name.
func (f *fieldLines) lineEnd(b []byte, line, i int) (int, error) {
	switch c := b[i]; {
	case i > line:
		return 0, errName
	case c == '\r' && i+1 == len(b):
		f.pos, f.line, f.colon = i, line, 0
		return 0, nil
	case c == '\r' && b[i+1] == '\n':
		return i + 2, nil
	case c == '\r':
		return 0, errBareCR
	case c == '\n':
		return 0, errBareLF
	case c == ':':
		return 0, errNoName
	case isBlank(c):
		return 0, errFold
	}
	return 0, errName
}

func valueError(b []byte, i int) error {
	switch b[i] {
	case '\r':
		return errBareCR
	case '\n':
		return errBareLF
	}
	return errValue
}

// add notes the line b[line:end]; it reports false for an absurd name.
func (f *fieldLines) add(b []byte, line, colon, end int) bool {
	if colon-line > maxFieldName {
		return false
	}
	v := colon + 1
	for v < end && isBlank(b[v]) {
		v++
	}
	e := end
	for e > v && isBlank(b[e-1]) {
		e--
	}
	id := identify(b[line:colon])
	f.twice |= f.seen & (1 << id)
	f.seen |= 1 << id
	f.list = append(f.list, field{uint32(line), uint32(v), uint32(e), uint16(colon - line), id})
	return true
}

// drop forgets the fields of a set.
func (f *fieldLines) drop(ids fieldSet) {
	if f.seen&ids == 0 {
		return
	}
	f.list = slices.DeleteFunc(f.list, func(l field) bool { return ids.has(l.id) })
	f.seen &^= ids
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// scanValue returns the offset of the first byte at or after b[i] that does
// not belong into a field value, or len(b). It looks at eight bytes at a
// time.
func scanValue(b []byte, i int) int {
	for i+8 <= len(b) {
		stop := controls(word(b, i))
		if stop == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(stop) >> 3
		if b[i] != '\t' {
			return i
		}
		i++
	}
	for i < len(b) && classes[b[i]]&text != 0 {
		i++
	}
	return i
}

// controls marks the control characters, HTAB and DEL among them, in eight
// bytes: 0 means that there are none, and the lowest mark is exact.
func controls(w uint64) uint64 {
	del := w ^ 0x7f*ones
	return ((w-0x20*ones)&^w | (del-ones)&^del) & highs
}

// isText reports whether all of s may be the value of a field.
func isText(s string) bool {
	n := len(s)
	if n < 8 {
		return all(s, text)
	}
	for i := 0; i < n; i += 8 {
		if controls(word(s, min(i, n-8))) != 0 {
			return all(s, text) // an HTAB may be what was found
		}
	}
	return true
}

// word returns the eight bytes of s at i.
func word[T string | []byte](s T, i int) uint64 {
	s = s[i : i+8]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// find returns the index of the first field called name at or after from, or
// -1.
func (f *fieldLines) find(b []byte, name string, from int) int {
	id := identify(name)
	if id != idOther && !f.seen.has(id) {
		return -1
	}
	for i := from; i < len(f.list); i++ {
		l := &f.list[i]
		if l.id != id || int(l.nameLen) != len(name) {
			continue
		}
		if id != idOther || sameFold(b[l.name:l.name+uint32(l.nameLen)], name) {
			return i
		}
	}
	return -1
}

// sameFold compares without regard to the case of ASCII letters.
func sameFold(a []byte, s string) bool {
	for i, c := range a {
		if d := s[i]; c != d && (c|0x20 != d|0x20 || c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}

func (f *fieldLines) nameView(b []byte, i int) []byte {
	l := &f.list[i]
	return b[l.name : l.name+uint32(l.nameLen) : l.name+uint32(l.nameLen)]
}

func (f *fieldLines) valueView(b []byte, i int) []byte {
	l := &f.list[i]
	return b[l.value:l.end:l.end]
}

func (f *fieldLines) values(b []byte, name string) (values []string) {
	for i := f.find(b, name, 0); i >= 0; i = f.find(b, name, i+1) {
		values = append(values, string(f.valueView(b, i)))
	}
	return values
}

func (f *fieldLines) all(b []byte) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for i := range f.list {
			if !yield(string(f.nameView(b, i)), string(f.valueView(b, i))) {
				return
			}
		}
	}
}
