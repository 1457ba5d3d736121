package http1

import (
	"strconv"

	"github.com/jay-go/jay"
)

// Error is a request that cannot be served as it was sent. Status is what
// the client is answered; the connection is closed after it.
type Error struct {
	Status int
	Reason string // what was wrong, and what would be right
}

func (e *Error) Error() string {
	return "http1: " + strconv.Itoa(e.Status) + " " + StatusText(e.Status) + ": " + e.Reason
}

// Blames returns whose fault it is: the client's, unless the status says that it is
// the server's.
func (e *Error) Blames() jay.Fault {
	if e.Status < 500 || e.Status == 501 || e.Status == 505 {
		return jay.PeerFault
	}
	return jay.ProgramFault
}

// The errors of the parsers. They are values, not wrapped anew, because a
// flood of bad requests must not allocate.
var (
	errMethod        = &Error{400, "the method is not a token followed by one space"}
	errMethodTooLong = &Error{501, "no method is that long"}
	errTarget        = &Error{400, "the request target holds a byte that must be percent-encoded"}
	errNoVersion     = &Error{400, "the request line has no HTTP-version: METHOD SP target SP HTTP/1.1 CRLF"}
	errVersion       = &Error{400, "the version is not HTTP/1.1 followed by CRLF"}
	errUnsupported   = &Error{505, "only HTTP/1.1 and HTTP/1.0 are spoken here"}
	errEmptyLines    = &Error{400, "too many empty lines before the request line"}
	errBareCR        = &Error{400, "CR without LF"}
	errBareLF        = &Error{400, "LF without CR: lines end with CRLF"}
	errName          = &Error{400, "a field name is not a token followed directly by a colon"}
	errNoName        = &Error{400, "a field without a name"}
	errFold          = &Error{400, "a line begins with white space: folded fields are refused"}
	errValue         = &Error{400, "a field value holds a control character"}
	errLineTooLong   = &Error{414, "the request line exceeds the limit"}
	errHeadTooLarge  = &Error{431, "the header section exceeds the limit"}
	errTooManyFields = &Error{431, "more fields than the limit"}

	errForm      = &Error{400, "the target is none of: /path, http://host/path, * (OPTIONS), host:port (CONNECT)"}
	errPercent   = &Error{400, "the path holds a % that is not followed by two hexadecimal digits"}
	errNUL       = &Error{400, "the path holds an encoded NUL"}
	errAuthority = &Error{400, "the target's host is empty or not a host with an optional port"}

	errHostMissing = &Error{400, "no Host field; HTTP/1.1 requires one"}
	errHostTwice   = &Error{400, "more than one Host field"}
	errHost        = &Error{400, "the Host field is empty or not a host with an optional port"}

	errLengthTwice  = &Error{400, "more than one Content-Length field"}
	errLength       = &Error{400, "Content-Length is not a number in decimal digits"}
	errBothFramings = &Error{400, "both Content-Length and Transfer-Encoding"}
	errCodingTwice  = &Error{400, "more than one Transfer-Encoding field"}
	errCoding       = &Error{400, "Transfer-Encoding is not chunked"}
	errCodingOther  = &Error{501, "only the transfer coding chunked is understood"}
	errCoding10     = &Error{400, "Transfer-Encoding in an HTTP/1.0 request"}
	errExpect       = &Error{417, "the only expectation understood is 100-continue"}

	errChunkSize     = &Error{400, "a chunk size is not a hexadecimal number"}
	errChunkLine     = &Error{400, "a chunk size is followed by something other than an extension and CRLF"}
	errChunkLong     = &Error{400, "a chunk's size line exceeds the limit"}
	errChunkOverhead = &Error{413, "the chunk extensions of the body exceed the limit"}
	errChunkEnd      = &Error{400, "a chunk's data is not followed by CRLF"}
	errBodyTooLarge  = &Error{413, "the body exceeds the limit"}
)
