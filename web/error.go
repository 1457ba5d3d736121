package web

import (
	"iter"
	"strconv"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/internal/http1"
)

// Error is a request that cannot be served as it was sent. Status is what
// the client is answered; the connection is closed after it.
type Error struct {
	Status int
	Reason string // what was wrong, and what would be right
}

func (e *Error) Error() string {
	return "http: " + strconv.Itoa(e.Status) + " " + StatusText(e.Status) + ": " + e.Reason
}

// Blames returns whose fault it is: the client's, unless the status says that it is
// the server's.
func (e *Error) Blames() jay.Fault { return (*http1.Error)(e).Blames() }

// Unwrap returns e as the protocol below knows it.
func (e *Error) Unwrap() error { return (*http1.Error)(e) }

// StatusText returns the reason phrase of a status code, or "" for one that is
// not registered.
func StatusText(code int) string { return http1.StatusText(code) }

// ParseQuery yields the name-value pairs of a query or of a body of type
// application/x-www-form-urlencoded, decoded as the URL standard says: "+" is
// a space, a "%" that is not followed by two hexadecimal digits is itself, a
// pair without "=" has an empty value. b must not change meanwhile.
func ParseQuery(b []byte) iter.Seq2[string, string] { return http1.ParseQuery(b) }
