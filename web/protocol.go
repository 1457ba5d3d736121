package web

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/internal/http1"
)

// Handler responds to a request. Serve runs on the connection's loop and must
// not block; a response that takes time is given later (see
// [ResponseWriter.Later]). w and r are valid until it returns.
type Handler interface {
	Serve(w *ResponseWriter, r *Request)
}

// HandlerFunc is a function as a [Handler], and as a jay.Protocol with the
// defaults of [Protocol].
type HandlerFunc func(w *ResponseWriter, r *Request)

// Serve calls f.
func (f HandlerFunc) Serve(w *ResponseWriter, r *Request) { f(w, r) }

// Protocol is HTTP as a jay.Protocol, with its limits. Handler is required. It
// must not be changed once it serves, nor copied.
//
// For durations and sizes zero means the default and negative means none.
type Protocol struct {
	// Handler responds to each request, once its body is complete.
	Handler Handler

	// OnHead, if set, is called when a request's head is complete and its
	// body is not yet asked for. It may change the limit of the body
	// ([Request.SetMaxBody]), take the body as it arrives
	// ([Request.OnBody]), or return false: then the response in w is sent at
	// once, without reading the body and without calling Handler. A client that waits
	// to be asked for its body is asked when OnHead has returned true, ahead of what
	// that has sent of the response, and is not asked otherwise.
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

	once   sync.Once
	made   atomic.Bool // server is
	server http1.Server
}

// app is a Protocol as what a connection below serves with, funcApp a HandlerFunc.
type (
	app     struct{ p *Protocol }
	funcApp HandlerFunc
)

// defaults is the Protocol of every HandlerFunc.
var defaults Protocol

// below returns what the connections of p have in common.
func (p *Protocol) below() *http1.Server {
	if !p.made.Load() {
		p.make()
	}
	return &p.server
}

func (p *Protocol) make() {
	p.once.Do(func() {
		p.server.Config = p.config()
		p.server.New = func(s *http1.Stream) http1.Exchange { return newExchange(s) }
		p.server.Error = func(e *http1.Error) error { return (*Error)(e) }
		p.made.Store(true)
	})
}

func (p *Protocol) config() http1.Config {
	return http1.Config{
		HeaderTimeout: p.HeaderTimeout, BodyTimeout: p.BodyTimeout,
		IdleTimeout: p.IdleTimeout, ResponseTimeout: p.ResponseTimeout, MinBodyRate: p.MinBodyRate,
		Max: http1.Limits{Head: p.MaxHeader, Fields: p.MaxFields, Body: p.MaxBody}, RawBody: p.RawBody, AskHead: p.OnHead != nil,
	}
}

func (a app) Server() *http1.Server      { return a.p.below() }
func (a app) Protocol() jay.Protocol     { return a.p }
func (f funcApp) Server() *http1.Server  { return defaults.below() }
func (f funcApp) Protocol() jay.Protocol { return HandlerFunc(f) }

func (a app) Serve(x http1.Exchange) {
	e := x.(*exchange)
	a.p.Handler.Serve(&e.w, &e.r)
}

func (f funcApp) Serve(x http1.Exchange) {
	e := x.(*exchange)
	f(&e.w, &e.r)
}

func (a app) Head(x http1.Exchange) bool {
	e := x.(*exchange)
	return a.p.OnHead(&e.w, &e.r)
}

func (f funcApp) Head(http1.Exchange) bool { return true }

// Name is the word for status.
func (p *Protocol) Name() string   { return "http" }
func (f HandlerFunc) Name() string { return "http" }

// Check: see [jay.Checker].
func (p *Protocol) Check() error {
	switch h := p.Handler.(type) {
	case nil:
		return errNoHandler
	case jay.Checker:
		return h.Check()
	}
	return nil
}

// Check: see [jay.Checker].
func (f HandlerFunc) Check() error {
	if f == nil {
		return errNoHandler
	}
	return nil
}

var errNoHandler = errors.New("web: the handler is nil")

// NewConn gives the connection its state.
func (p *Protocol) NewConn(*jay.Conn) jay.Handler { return http1.NewConn(app{p}) }

// NewConn: see [Protocol.NewConn].
func (f HandlerFunc) NewConn(*jay.Conn) jay.Handler { return http1.NewConn(funcApp(f)) }

// Limits are for status: by name, with the unit at the end.
func (p *Protocol) Limits() map[string]float64 {
	config := p.config()
	return config.Limits()
}

// Limits: see [Protocol.Limits].
func (f HandlerFunc) Limits() map[string]float64 { return defaults.Limits() }

// Refuse is what a client is told when the worker holds Server.MaxConns
// connections.
func (p *Protocol) Refuse() []byte { return []byte(http1.Refusal) }

// Refuse: see [Protocol.Refuse].
func (f HandlerFunc) Refuse() []byte { return []byte(http1.Refusal) }
