package http1

// frame checks what of the complete head decides about the message's end and
// the connection's fate. The rules are those of RFC 9112 sections 6 and 9 in
// their strict reading: what has two readings is refused.
func (h *Head) frame() error {
	if h.lines.twice&setOf(idHost, idContentLength, idTransferEncoding) != 0 {
		return h.twiceError()
	}
	for i := range h.lines.list {
		l := &h.lines.list[i]
		if l.id == idOther || l.id > lastFraming {
			continue
		}
		if err := h.frameField(l); err != nil {
			return err
		}
	}
	switch seen := h.lines.seen; {
	case !seen.has(idHost) && h.flags&flag10 == 0:
		return errHostMissing
	case seen.has(idTransferEncoding) && seen.has(idContentLength):
		return errBothFramings
	case !seen.has(idUpgrade) || h.flags&flag10 != 0:
		h.flags &^= flagUpgrade
	}
	return nil
}

func (h *Head) twiceError() error {
	switch {
	case h.lines.twice.has(idHost):
		return errHostTwice
	case h.lines.twice.has(idContentLength):
		return errLengthTwice
	}
	return errCodingTwice
}

func (h *Head) frameField(l *field) (err error) {
	value := h.buf[l.value:l.end]
	switch l.id {
	case idHost:
		if !validAuthority(value, false) {
			return errHost
		}
		h.host = span{int(l.value), int(l.end)}
	case idContentLength:
		h.length, err = parseLength(value)
	case idTransferEncoding:
		if h.flags&flag10 != 0 {
			return errCoding10
		}
		h.flags |= flagChunked
		err = checkCoding(value)
	case idConnection:
		h.connection(value)
	case idExpect:
		if h.flags&flag10 != 0 {
			break // RFC 9110 section 10.1.1: ignored
		}
		if !foldEqual(value, "100-continue") {
			return errExpect
		}
		h.flags |= flagContinue
	}
	return err
}

// lengthTooLarge stands for every length that no limit allows.
const lengthTooLarge = 1<<63 - 1

// parseLength reads 1*DIGIT.
func parseLength[T string | []byte](b T) (n int64, err error) {
	if len(b) == 0 {
		return 0, errLength
	}
	for i := range len(b) {
		c := b[i]
		if c < '0' || c > '9' {
			return 0, errLength
		}
		if n > (lengthTooLarge-9)/10 {
			n = lengthTooLarge
			continue
		}
		n = n*10 + int64(c-'0')
	}
	return n, nil
}

// checkCoding accepts "chunked" alone. A list of codings that ends with
// chunked is a message that a better server could read: 501; everything else
// has no end that can be known: 400.
func checkCoding(b []byte) error {
	if foldEqual(b, "chunked") {
		return nil
	}
	last, others := b, false
	for rest, more := b, true; more; {
		last, rest, more = cutList(rest)
		if len(last) == 0 || !all(last, token) {
			return errCoding
		}
		if more {
			if foldEqual(last, "chunked") {
				return errCoding
			}
			others = true
		}
	}
	if others && foldEqual(last, "chunked") {
		return errCodingOther
	}
	return errCoding
}

// cutList returns the first member of a comma-separated list, the rest, and
// whether there is a rest.
func cutList(b []byte) (member, rest []byte, more bool) {
	for i, c := range b {
		if c == ',' {
			return trim(b[:i]), b[i+1:], true
		}
	}
	return trim(b), nil, false
}

// connection reads the options of a Connection field that concern this hop
// and ignores the others (RFC 9110 section 7.6.1).
func (h *Head) connection(value []byte) {
	var member []byte
	for more := true; more; {
		member, value, more = cutList(value)
		switch {
		case foldEqual(member, "keep-alive"):
			h.flags |= flagKeepAlive
		case foldEqual(member, "close"):
			h.flags |= flagClose
		case foldEqual(member, "upgrade"):
			h.flags |= flagUpgrade
		}
	}
}
