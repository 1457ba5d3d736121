// Package http1 speaks HTTP/1.1 (RFC 9110, RFC 9112) in a strict profile:
// only CRLF ends a line, names and values are checked byte by byte, every
// length is bounded, and whatever makes the end of a message doubtful gets an
// error response and a close. docs/http.md lists the rules.
//
// It has two layers:
//
//   - Pure parsers and encoders: Head, Chunked, ResponseHead, ParseTarget,
//     ParseQuery. They take bytes and return what they used; they do no I/O.
//   - The states of a connection: NewConn makes a jay.Handler that serves with an
//     App. Each request and its response are a Stream, and above that the Exchange
//     that handlers see; package web has those.
package http1
