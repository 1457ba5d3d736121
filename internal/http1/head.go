package http1

import "encoding/binary"

// Limits bound a message. A zero field means the package's default.
type Limits struct {
	Head   int   // bytes of request line and header section; 16 KiB
	Fields int   // field lines; 100
	Body   int64 // bytes of the body, decoded; 10 MiB
}

const (
	defaultMaxHead   = 16 << 10
	defaultMaxFields = 100
	defaultMaxBody   = 10 << 20

	// maxMethod is longer than every method registered.
	maxMethod = 64

	// maxEmptyLines may precede a request line (RFC 9112 section 2.2 asks
	// for at least one).
	maxEmptyLines = 4
)

func (l Limits) head() int   { return orDefault(l.Head, defaultMaxHead, maxOffset) }
func (l Limits) fields() int { return orDefault(l.Fields, defaultMaxFields, maxOffset) }
func (l Limits) body() int64 { return orDefault(l.Body, defaultMaxBody, 1<<62) }

// orDefault is the rule of every limit here: zero is the default, negative
// is no limit, and no limit exceeds what the representation holds.
func orDefault[T int | int64](v, zero, none T) T {
	if v == 0 {
		return zero
	}
	if v < 0 || v > none {
		return none
	}
	return v
}

// Head is the head of a request: request line and fields, as offsets into
// the bytes it was parsed from. The zero value is ready; Reset makes a used
// one ready again and keeps its memory. After Parse has returned a length,
// the accessors may be used for as long as the parsed bytes stay unchanged.
type Head struct {
	buf   []byte // what the offsets refer to
	lines fieldLines

	part   part
	begin  int // first byte of the request line
	sp1    int // the space after the method
	sp2    int // the space after the target
	end    int // after the empty line
	pos    int // first byte not looked at yet
	query  int // the first "?" of the target, or 0
	flags  headFlags
	length int64 // Content-Length
	target target
	host   span // of the Host field

	gen uint32 // grows with Reset: an iterator of before has ended
}

// span is a range of a buffer.
type span struct{ from, to int }

func (s span) of(b []byte) []byte { return b[s.from:s.to:s.to] }

// part is where in the head the parser is.
type part uint8

const (
	inEmptyLines part = iota
	inMethod
	inTarget
	inVersion
	inFields
)

type headFlags uint16

const (
	flag10        headFlags = 1 << iota // HTTP/1.0
	flagChunked                         // Transfer-Encoding: chunked
	flagClose                           // Connection: close
	flagKeepAlive                       // Connection: keep-alive
	flagUpgrade                         // Connection: upgrade, and an Upgrade field
	flagContinue                        // Expect: 100-continue
	flagPercent                         // the target holds a "%"
	flagHEAD                            // the method is HEAD
)

// Reset forgets everything but the memory.
func (h *Head) Reset() {
	*h = Head{lines: fieldLines{list: h.lines.list[:0]}, gen: h.gen + 1}
}

// Parse reads a request head from the start of b. It returns the head's
// length, 0 when more bytes are needed, or an *Error with the status to
// answer. When more is needed, the next call gets the same bytes and more;
// none is looked at twice. An error does not depend on how the bytes were
// cut. Parse does not allocate once the Head has grown to its fields.
func (h *Head) Parse(b []byte, limits Limits) (n int, err error) {
	max := limits.head()
	if len(b) > max {
		b = b[:max]
	}
	for {
		done := false
		switch h.part {
		case inEmptyLines:
			done, err = h.skipEmptyLines(b)
		case inMethod:
			done, err = h.parseMethod(b)
		case inTarget:
			done, err = h.parseTarget(b)
		case inVersion:
			done, err = h.parseVersion(b)
		case inFields:
			n, err = h.lines.scan(b, limits.fields())
			if n > 0 {
				h.buf, h.end = b[:n:n], n
				return n, h.frame()
			}
		}
		if err != nil {
			return 0, err
		}
		if done {
			h.part++
			continue
		}
		if len(b) < max {
			return 0, nil
		}
		return 0, h.tooLarge()
	}
}

// tooLarge says which limit a head has reached that is not complete within
// its limit.
func (h *Head) tooLarge() error {
	switch h.part {
	case inMethod:
		return errMethodTooLong
	case inTarget, inVersion:
		return errLineTooLong
	}
	return errHeadTooLarge
}

// skipEmptyLines passes over the empty lines that some clients send after a
// body.
func (h *Head) skipEmptyLines(b []byte) (bool, error) {
	for h.pos < len(b) {
		switch b[h.pos] {
		case '\r':
			if h.pos+1 == len(b) {
				return false, nil
			}
			if b[h.pos+1] != '\n' {
				return false, errBareCR
			}
			h.pos += 2
			if h.pos > 2*maxEmptyLines {
				return false, errEmptyLines
			}
		case '\n':
			return false, errBareLF
		default:
			h.begin = h.pos
			return true, nil
		}
	}
	return false, nil
}

func (h *Head) parseMethod(b []byte) (bool, error) {
	i := h.pos
	for i < len(b) && classes[b[i]]&token != 0 {
		i++
	}
	h.pos = i
	switch {
	case i > h.begin+maxMethod: // whatever follows: RFC 9112 section 3
		return false, errMethodTooLong
	case i == len(b):
		return false, nil
	case b[i] != ' ' || i == h.begin:
		return false, errMethod
	}
	h.sp1, h.pos = i, i+1
	if string(b[h.begin:i]) == "HEAD" {
		h.flags |= flagHEAD
	}
	return true, nil
}

func (h *Head) parseTarget(b []byte) (bool, error) {
	i := h.pos
	for {
		for i < len(b) && classes[b[i]]&plain != 0 {
			i++
		}
		h.pos = i
		if i == len(b) {
			return false, nil
		}
		switch b[i] {
		case '%':
			h.flags |= flagPercent
			i++
		case '?':
			if h.query == 0 {
				h.query = i
			}
			i++
		case ' ':
			if i == h.sp1+1 {
				return false, errTarget
			}
			h.sp2, h.pos = i, i+1
			return true, nil
		case '\r':
			return false, errNoVersion
		case '\n':
			return false, errBareLF
		default:
			return false, errTarget
		}
	}
}

// The two versions, with their line ends, as words and half-words.
var (
	http11 = binary.LittleEndian.Uint64([]byte("HTTP/1.1"))
	http10 = binary.LittleEndian.Uint64([]byte("HTTP/1.0"))
)

const versionLine = "HTTP/d.d\r\n"

func (h *Head) parseVersion(b []byte) (bool, error) {
	v := b[h.sp2+1:]
	if len(v) < len(versionLine) || v[8] != '\r' || v[9] != '\n' {
		return false, h.slowVersion(v)
	}
	switch binary.LittleEndian.Uint64(v) {
	case http11:
	case http10:
		h.flags |= flag10
	default:
		if err := h.slowVersion(v); err != nil {
			return false, err
		}
		// A later minor version of 1 is spoken to as 1.1 (RFC 9110 section 2.5).
	}
	h.pos = h.sp2 + 1 + len(versionLine)
	h.lines.start(h.pos)
	return true, h.splitTarget(b)
}

// slowVersion checks what there is of a version that is incomplete or
// unusual, byte by byte, so that an error shows at the byte that makes it.
func (h *Head) slowVersion(v []byte) error {
	for i := h.pos - h.sp2 - 1; i < len(v) && i < len(versionLine); i++ {
		want := versionLine[i]
		if want == 'd' && is(v[i], digit) || want == v[i] && want != 'd' {
			continue
		}
		if i == 9 {
			return errBareCR
		}
		return errVersion
	}
	if len(v) < len(versionLine) {
		h.pos = h.sp2 + 1 + len(v)
		return nil
	}
	if v[5] != '1' {
		return errUnsupported
	}
	return nil
}

// splitTarget finds the parts of the complete target.
func (h *Head) splitTarget(b []byte) error {
	from, query := h.sp1+1, h.query
	if query == 0 {
		query = h.sp2
	}
	if b[from] == '/' && h.sp1-h.begin != len("CONNECT") {
		h.target = target{form: OriginForm, path: span{from, query}, query: span{query, h.sp2}}
	} else {
		t, err := parseTarget(b[h.begin:h.sp1], b[from:h.sp2])
		if err != nil {
			return err
		}
		h.target = t.shifted(from)
	}
	if h.flags&flagPercent != 0 {
		return checkPercent(h.target.path.of(b))
	}
	return nil
}
