// Package http1 speaks HTTP/1.1 (RFC 9110, RFC 9112) in a strict profile:
// only CRLF ends a line, names and values are checked byte by byte, every
// length is bounded, and whatever makes the end of a message doubtful is
// answered with an error and a close. docs/http.md lists the rules.
//
// Two layers can be used apart:
//
//   - Pure parsers and encoders: Head, Chunked, ResponseHead, ParseTarget,
//     Cookie. They take bytes and return what they used; they do no I/O.
//   - The protocol on a jay.Conn: HandlerFunc and Protocol.
package http1
