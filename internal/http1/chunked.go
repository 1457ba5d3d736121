package http1

import "iter"

// Chunked decodes a chunked body (RFC 9112 section 7.1) as its bytes arrive.
// The zero value is ready; Reset makes a used one ready again and keeps its
// memory.
type Chunked struct {
	state    chunkState
	line     int   // bytes of the current size line
	overhead int   // bytes of all extensions so far
	size     int64 // of the current chunk; in its data: what remains
	total    int64 // of the chunks so far
	trailer  fieldLines
	buf      []byte // what trailer refers to, once complete
	gen      uint32 // grows with Reset: an iterator of before has ended
}

// chunkState is where in the body the decoder is.
type chunkState uint8

const (
	chunkStart    chunkState = iota // before the first digit of a size
	chunkSize                       // in the digits
	chunkBlank                      // white space that ";" or "=" must follow
	chunkExt                        // after ";": white space, then a name
	chunkName                       // in an extension's name
	chunkNameEnd                    // white space after the name
	chunkEqual                      // after "=": white space, then a value
	chunkValue                      // in a token as value
	chunkQuoted                     // in a quoted string
	chunkEscape                     // after its backslash
	chunkQuoteEnd                   // after its closing quote
	chunkLF                         // LF of the size line
	chunkData                       // in the data
	chunkDataCR                     // CR after the data
	chunkDataLF                     // LF after the data
	chunkTrailer                    // in the trailer section
	chunkDone
)

const (
	// maxChunkDigits bounds the digits of a size, leading zeros included.
	maxChunkDigits = 32
	// maxChunkLine bounds one size line with its extensions.
	maxChunkLine = 256
	// maxChunkOverhead bounds the extensions of all chunks of a body: nobody
	// uses them but to make a server read for nothing.
	maxChunkOverhead = 16 << 10
)

// Reset forgets everything but the memory.
func (d *Chunked) Reset() {
	*d = Chunked{trailer: fieldLines{list: d.trailer.list[:0]}, gen: d.gen + 1}
}

// Done reports whether the whole body, its trailer section included, has
// been decoded.
func (d *Chunked) Done() bool { return d.state == chunkDone }

// Next decodes from the start of b: it returns the next piece of data as a
// part of b, and the number of bytes used. Bytes that were not used must be
// at the start of the next b. With n == 0 and a nil error more bytes are
// needed, or the body is Done. limits bound the decoded body (413) and the
// trailer section (431). The error does not depend on how the bytes were cut.
func (d *Chunked) Next(b []byte, limits Limits) (data []byte, n int, err error) {
	for n < len(b) {
		switch d.state {
		case chunkData:
			data, n = d.takeData(b, n)
			if len(data) > 0 {
				return data, n, nil
			}
		case chunkTrailer:
			used, err := d.takeTrailer(b[n:], limits)
			return nil, n + used, err
		case chunkDone:
			return nil, n, nil
		default:
			if d.state, err = d.step(b[n], limits.body()); err != nil {
				return nil, n, err
			}
			n++
		}
	}
	return nil, n, nil
}

// takeData returns what b[n:] holds of the chunk.
func (d *Chunked) takeData(b []byte, n int) ([]byte, int) {
	end := n + int(min(d.size, int64(len(b)-n)))
	d.size -= int64(end - n)
	if d.size == 0 {
		d.state = chunkDataCR
	}
	return b[n:end:end], end
}

// step consumes one byte that is neither data nor trailer and returns the
// state after it.
func (d *Chunked) step(c byte, maxBody int64) (chunkState, error) {
	switch d.state {
	case chunkDataCR:
		if c != '\r' {
			return 0, errChunkEnd
		}
		return chunkDataLF, nil
	case chunkDataLF:
		if c != '\n' {
			return 0, errChunkEnd
		}
		d.line, d.size = 0, 0
		return chunkStart, nil
	}
	if d.line++; d.line > maxChunkLine {
		return 0, errChunkLong
	}
	switch d.state {
	case chunkStart, chunkSize:
		if is(c, hexDig) {
			if d.line > maxChunkDigits {
				return 0, errChunkLong
			}
			if d.size > 1<<56 {
				return 0, errBodyTooLarge
			}
			d.size = d.size<<4 | int64(unhex(c))
			return chunkSize, nil
		}
		if d.state == chunkStart {
			return 0, errChunkSize
		}
		return afterItem(c, chunkBlank)
	case chunkLF:
		if c != '\n' {
			return 0, errBareCR
		}
		return d.endLine(maxBody)
	}
	if d.overhead++; d.overhead > maxChunkOverhead {
		return 0, errChunkOverhead
	}
	return stepExtension(d.state, c)
}

// endLine decides what follows a complete size line.
func (d *Chunked) endLine(maxBody int64) (chunkState, error) {
	if d.size == 0 {
		d.trailer.start(0)
		return chunkTrailer, nil
	}
	if d.size > maxBody-d.total {
		return 0, errBodyTooLarge
	}
	d.total += d.size
	return chunkData, nil
}

// stepExtension is the grammar of chunk-ext:
// *( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] ).
func stepExtension(s chunkState, c byte) (chunkState, error) {
	switch s {
	case chunkBlank:
		switch {
		case isBlank(c):
			return chunkBlank, nil
		case c == ';':
			return chunkExt, nil
		}
	case chunkExt:
		switch {
		case isBlank(c):
			return chunkExt, nil
		case is(c, token):
			return chunkName, nil
		}
	case chunkName:
		switch {
		case is(c, token):
			return chunkName, nil
		case c == '=':
			return chunkEqual, nil
		}
		return afterItem(c, chunkNameEnd)
	case chunkNameEnd:
		switch {
		case isBlank(c):
			return chunkNameEnd, nil
		case c == '=':
			return chunkEqual, nil
		case c == ';':
			return chunkExt, nil
		}
	case chunkEqual:
		switch {
		case isBlank(c):
			return chunkEqual, nil
		case c == '"':
			return chunkQuoted, nil
		case is(c, token):
			return chunkValue, nil
		}
	case chunkValue:
		if is(c, token) {
			return chunkValue, nil
		}
		return afterItem(c, chunkBlank)
	case chunkQuoted:
		switch {
		case c == '"':
			return chunkQuoteEnd, nil
		case c == '\\':
			return chunkEscape, nil
		case is(c, text):
			return chunkQuoted, nil
		}
	case chunkEscape:
		if is(c, text) {
			return chunkQuoted, nil
		}
	case chunkQuoteEnd:
		return afterItem(c, chunkBlank)
	}
	return 0, errChunkLine
}

// afterItem is what may follow a size, a name or a value; blank is the state
// for white space.
func afterItem(c byte, blank chunkState) (chunkState, error) {
	switch {
	case c == '\r':
		return chunkLF, nil
	case c == ';':
		return chunkExt, nil
	case isBlank(c):
		return blank, nil
	}
	return 0, errChunkLine
}

// notInTrailer are the fields that must not arrive after the content they
// are about (RFC 9110 section 6.5.1): framing, routing, authentication,
// request modifiers and how to read the content. They are left out, for a
// program could otherwise take them for what the head lacks.
var notInTrailer = setOf(idHost, idContentLength, idTransferEncoding, idConnection, idExpect, idUpgrade,
	idTE, idTrailer, idKeepAlive, idProxyConnection, idCookie, idSetCookie, idContentType,
	idContentEncoding, idContentRange, idAuthorization, idProxyAuthorization, idRange, idIfMatch,
	idIfNoneMatch, idIfModifiedSince, idIfUnmodifiedSince, idIfRange, idCacheControl)

// takeTrailer parses the trailer section when b holds all of it.
func (d *Chunked) takeTrailer(b []byte, limits Limits) (n int, err error) {
	max := limits.head()
	whole := len(b) >= max
	if whole {
		b = b[:max]
	}
	n, err = d.trailer.scan(b, limits.fields())
	switch {
	case err != nil:
		return 0, err
	case n == 0 && whole:
		return 0, errHeadTooLarge
	case n == 0:
		return 0, nil
	}
	d.trailer.drop(notInTrailer)
	d.state, d.buf = chunkDone, b[:n:n]
	return n, nil
}

// Trailer returns the value of the first trailer field called name, or "".
// Trailer fields are complete once the body is Done, never mixed with those
// of the head, and valid for as long as the bytes that were given to Next.
// Those that RFC 9110 section 6.5.1 has in the head alone are left out.
func (d *Chunked) Trailer(name string) string {
	if !d.Done() {
		return ""
	}
	if i := d.trailer.find(d.buf, name, 0); i >= 0 {
		return string(d.trailer.valueView(d.buf, i))
	}
	return ""
}

// Trailers yields all trailer fields in their order, under the same rules.
func (d *Chunked) Trailers() iter.Seq2[string, string] {
	gen := d.gen
	return func(yield func(name, value string) bool) {
		if d.gen != gen || !d.Done() {
			return
		}
		for k, v := range d.trailer.all(d.buf) {
			if !yield(k, v) || d.gen != gen {
				return
			}
		}
	}
}
