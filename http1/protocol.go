package http1

import (
	"errors"
	"sync"
	"time"

	"github.com/jay-go/jay"
)

// HandlerFunc answers a request. It runs on the connection's loop and must
// not block; an answer that takes time is given later (see
// [ResponseWriter.Later]). w and r are valid until it returns.
//
// A HandlerFunc is a jay.Protocol: HTTP/1.1 with the defaults of [Protocol].
type HandlerFunc func(w *ResponseWriter, r *Request)

// Protocol is HTTP/1.1 as a jay.Protocol, with its limits. Handler is
// required. It must not be changed once it serves.
//
// For durations and sizes zero means the default and negative means none.
type Protocol struct {
	// Handler answers each request, once its body is complete.
	Handler HandlerFunc

	// OnHead, if set, is called when a request's head is complete and its
	// body is not yet asked for. It may change the limit of the body
	// ([Request.SetMaxBody]), take the body as it arrives
	// ([Request.OnBody]), or return false: then the answer in w is sent at
	// once, without reading the body and without calling Handler.
	OnHead func(w *ResponseWriter, r *Request) (proceed bool)

	// HeaderTimeout is how long a request's head may take from its first
	// byte. It is absolute: bytes that trickle in do not extend it. Then the
	// client is answered 408. Zero means 10 seconds.
	HeaderTimeout time.Duration

	// BodyTimeout is how long a request's body may take, absolute like
	// HeaderTimeout. Zero means 5 minutes.
	BodyTimeout time.Duration

	// MinBodyRate is the least average rate of a body in bytes a second,
	// after a grace of 5 seconds. Zero means none.
	MinBodyRate int

	// IdleTimeout closes a connection that has been silent for this long
	// between two requests; a body in which nothing moves for this long is
	// answered 408. With a negative value ConnConfig.IdleTimeout remains. Zero
	// means 75 seconds.
	IdleTimeout time.Duration

	// ResponseTimeout is how long a response that is given later, or a body that
	// the program has paused, may make no progress: nothing is written and the
	// client takes nothing. It may take a quarter longer. Then the client is
	// answered 504, or its response is cut short, and OnError is told. Zero means
	// 10 minutes.
	ResponseTimeout time.Duration

	// MaxHeader bounds request line and fields in bytes, and a trailer
	// section as well. Zero means 16 KiB.
	MaxHeader int

	// MaxFields bounds the number of field lines. Zero means 100.
	MaxFields int

	// MaxBody bounds a request's body in bytes, after the chunks have been
	// taken out. Zero means 10 MiB.
	MaxBody int64

	// RawBody keeps a chunked body as it arrived, framing and trailers
	// included, for a program that reflects or records requests.
	RawBody bool

	exchanges sync.Pool // of *exchange
	dates     DateCache
}

// defaults is the Protocol of every HandlerFunc.
var defaults Protocol

// rateGrace is for how long MinBodyRate asks for nothing.
const rateGrace = 5 * time.Second

func (p *Protocol) headerTimeout() time.Duration { return timeout(p.HeaderTimeout, 10*time.Second) }
func (p *Protocol) bodyTimeout() time.Duration   { return timeout(p.BodyTimeout, 5*time.Minute) }
func (p *Protocol) idleTimeout() time.Duration   { return timeout(p.IdleTimeout, 75*time.Second) }
func (p *Protocol) responseTimeout() time.Duration {
	return timeout(p.ResponseTimeout, 10*time.Minute)
}

func (p *Protocol) limits() Limits {
	return Limits{Head: p.MaxHeader, Fields: p.MaxFields, Body: p.MaxBody}
}

// timeout applies the rule of the package; 0 of the result is no limit, as
// jay.Conn.SetDeadline has it.
func timeout(d, zero time.Duration) time.Duration {
	if d == 0 {
		return zero
	}
	return max(d, 0)
}

// Name is the word for status.
func (p *Protocol) Name() string { return "http" }

// Check: see [jay.Checker].
func (p *Protocol) Check() error { return p.Handler.Check() }

// NewConn gives the connection its state.
func (p *Protocol) NewConn(*jay.Conn) jay.Handler { return &serverConn{p: p, handler: p.Handler} }

// Limits are for status: by name, with the unit at the end.
func (p *Protocol) Limits() map[string]float64 {
	l := p.limits()
	return map[string]float64{
		"header_timeout_s":   p.headerTimeout().Seconds(),
		"body_timeout_s":     p.bodyTimeout().Seconds(),
		"idle_timeout_s":     p.idleTimeout().Seconds(),
		"response_timeout_s": p.responseTimeout().Seconds(),
		"max_header_bytes":   float64(l.head()),
		"max_fields":         float64(l.fields()),
		"max_body_bytes":     float64(l.body()),
	}
}

// Name is the word for status.
func (f HandlerFunc) Name() string { return "http" }

// Check: see [jay.Checker].
func (f HandlerFunc) Check() error {
	if f == nil {
		return errors.New("http1: the handler is nil")
	}
	return nil
}

// NewConn gives the connection its state.
func (f HandlerFunc) NewConn(*jay.Conn) jay.Handler { return &serverConn{p: &defaults, handler: f} }

// Limits: see [Protocol.Limits].
func (f HandlerFunc) Limits() map[string]float64 { return defaults.Limits() }

// Refuse is what a client is told when the worker holds Server.MaxConns
// connections.
func (p *Protocol) Refuse() []byte { return []byte(refusal) }

// Refuse: see [Protocol.Refuse].
func (f HandlerFunc) Refuse() []byte { return []byte(refusal) }

const refusal = "HTTP/1.1 503 Service Unavailable\r\n" +
	"Content-Type: text/plain; charset=utf-8\r\n" +
	"Content-Length: 42\r\n" +
	"Retry-After: 1\r\n" +
	"Connection: close\r\n" +
	"\r\n" +
	"Service Unavailable: too many connections\n"
