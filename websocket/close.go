package websocket

import (
	"encoding/binary"
	"strconv"
	"unicode/utf8"
)

// Code says why a connection closes (RFC 6455 section 7.4).
type Code uint16

const (
	CloseNormal       Code = 1000
	CloseGoingAway    Code = 1001
	CloseProtocol     Code = 1002
	CloseUnsupported  Code = 1003
	CloseNoStatus     Code = 1005 // a Close frame without a code; never sent
	CloseAbnormal     Code = 1006 // no Close frame came; never sent
	CloseInvalidData  Code = 1007
	ClosePolicy       Code = 1008
	CloseTooBig       Code = 1009
	CloseExtension    Code = 1010
	CloseInternal     Code = 1011
	CloseRestart      Code = 1012
	CloseTryAgain     Code = 1013
	CloseBadGateway   Code = 1014
	closeFirstPrivate Code = 3000
	closeLastPrivate  Code = 4999
)

// String returns the code's meaning, or its number.
func (c Code) String() string {
	switch c {
	case CloseNormal:
		return "normal closure"
	case CloseGoingAway:
		return "going away"
	case CloseProtocol:
		return "protocol error"
	case CloseUnsupported:
		return "unsupported data"
	case CloseNoStatus:
		return "no status"
	case CloseAbnormal:
		return "abnormal closure"
	case CloseInvalidData:
		return "invalid data"
	case ClosePolicy:
		return "policy violation"
	case CloseTooBig:
		return "message too big"
	case CloseExtension:
		return "missing extension"
	case CloseInternal:
		return "internal error"
	case CloseRestart:
		return "service restart"
	case CloseTryAgain:
		return "try again later"
	case CloseBadGateway:
		return "bad gateway"
	}
	return "code " + strconv.Itoa(int(c))
}

// Sendable reports whether the code may be in a Close frame.
func (c Code) Sendable() bool {
	switch {
	case c >= CloseNormal && c <= CloseUnsupported, c >= CloseInvalidData && c <= CloseBadGateway:
		return true
	}
	return c >= closeFirstPrivate && c <= closeLastPrivate
}

// maxReason is what a control frame leaves for a reason.
const maxReason = maxControl - 2

// parseClose reads the payload of a Close frame. Without one the code is
// CloseNoStatus. reason aliases p.
func parseClose(p []byte) (code Code, reason []byte, err error) {
	switch len(p) {
	case 0:
		return CloseNoStatus, nil, nil
	case 1:
		return 0, nil, errCloseLength
	}
	code, reason = Code(binary.BigEndian.Uint16(p)), p[2:]
	if !code.Sendable() {
		return 0, nil, errCloseCode
	}
	if !utf8.Valid(reason) {
		return 0, nil, errCloseReason
	}
	return code, reason, nil
}

// appendClose appends the payload of a Close frame: nothing for a code that
// must not be sent. A reason that is too long is cut between two characters.
func appendClose(dst []byte, code Code, reason string) []byte {
	if !code.Sendable() {
		return dst
	}
	if len(reason) > maxReason {
		n := maxReason
		for n > 0 && !utf8.RuneStart(reason[n]) {
			n--
		}
		reason = reason[:n]
	}
	return append(binary.BigEndian.AppendUint16(dst, uint16(code)), reason...)
}
