package http1

import (
	"sync"
	"time"

	"github.com/jay-go/jay"
)

// App is what a connection serves requests with: the other side of the seam
// between HTTP's messages and what handlers see. Its methods are called on the
// connection's loop. A value of one word keeps connections small.
type App interface {
	Server() *Server
	Protocol() jay.Protocol // what status calls the connection

	// Head is called when a request's head is complete and its body is not yet
	// asked for, if Server.AskHead is set. False ends the request: what there is
	// of a response is sent.
	Head(x Exchange) (proceed bool)

	// Serve is called when the request is complete. The response is complete
	// when it returns, unless Stream.Later was called.
	Serve(x Exchange)
}

// Exchange is one request and its response as the handler sees them. It is made
// by Server.New for a Stream, and used again with it.
type Exchange interface {
	// Body is given a piece of the request's body after Stream.TakeBody, valid
	// until it returns. An error ends the request: an *Error with its status,
	// any other with 500.
	Body(b []byte) error

	// Left says that the client has finished sending while its response is to
	// come, or that the exchange ends unfinished. What it returns is called, if
	// it is not nil, when the exchange's handles say which.
	Left() (tell func())

	// Writable is called after Stream.Full, when most has gone.
	Writable()

	// Reset ends the exchange, and makes ready for the next.
	Reset()
}

// Source finds an Exchange again.
type Source interface {
	// Exchange returns the one of that number, nil once it is over.
	Exchange(number uint32) Exchange
}

// Config is what is asked of the clients of a Server. For durations and sizes zero
// means the default and negative means none; web.Protocol says what each is.
type Config struct {
	HeaderTimeout   time.Duration // 10 s
	BodyTimeout     time.Duration // 5 min
	IdleTimeout     time.Duration // 75 s
	ResponseTimeout time.Duration // 10 min
	MinBodyRate     int
	Max             Limits
	RawBody         bool
	AskHead         bool // App.Head is called
}

// Server is what the connections of one protocol value have in common. It must
// not be changed once it serves.
type Server struct {
	Config

	// New makes what stands above a Stream.
	New func(*Stream) Exchange

	// Error makes of an Error what users are told.
	Error func(*Error) error

	streams sync.Pool // of *Stream
	dates   DateCache
}

// rateGrace is for how long MinBodyRate asks for nothing.
const rateGrace = 5 * time.Second

func (f *Config) headerTimeout() time.Duration   { return timeout(f.HeaderTimeout, 10*time.Second) }
func (f *Config) bodyTimeout() time.Duration     { return timeout(f.BodyTimeout, 5*time.Minute) }
func (f *Config) idleTimeout() time.Duration     { return timeout(f.IdleTimeout, 75*time.Second) }
func (f *Config) responseTimeout() time.Duration { return timeout(f.ResponseTimeout, 10*time.Minute) }

// timeout applies the rule of the package; 0 of the result is no limit, as
// jay.Conn.SetDeadline has it.
func timeout(d, zero time.Duration) time.Duration {
	if d == 0 {
		return zero
	}
	return max(d, 0)
}

// Limits are for status: by name, with the unit at the end.
func (f *Config) Limits() map[string]float64 {
	return map[string]float64{
		"header_timeout_s":   f.headerTimeout().Seconds(),
		"body_timeout_s":     f.bodyTimeout().Seconds(),
		"idle_timeout_s":     f.idleTimeout().Seconds(),
		"response_timeout_s": f.responseTimeout().Seconds(),
		"max_header_bytes":   float64(f.Max.head()),
		"max_fields":         float64(f.Max.fields()),
		"max_body_bytes":     float64(f.Max.body()),
	}
}

// Refusal is what a client is told when the worker holds Server.MaxConns
// connections.
const Refusal = "HTTP/1.1 503 Service Unavailable\r\n" +
	"Content-Type: text/plain; charset=utf-8\r\n" +
	"Content-Length: 42\r\n" +
	"Retry-After: 1\r\n" +
	"Connection: close\r\n" +
	"\r\n" +
	"Service Unavailable: too many connections\n"
