// Package websocket speaks the WebSocket protocol (RFC 6455) with
// per-message compression (RFC 7692) on the connections of package jay.
//
// A [Handler] is a few callbacks. It serves a path of an HTTP service through
// [Handler.Serve], or every path of a jay.Server as its Handler. A [Conn] is
// one WebSocket connection and belongs to its loop, as jay.Conn does; other
// goroutines use its [Ref]. A [Group] sends one message to many.
//
// Parsing, the handshake, close payloads and compression are pure functions of
// bytes; only Conn does I/O, through its jay.Conn.
package websocket
