package jay

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Endpoint is an address of a server, and what the connections are that come
// there.
type Endpoint struct {
	// Addr is the address: "tcp://127.0.0.1:9999", "127.0.0.1:9999",
	// "[::1]:80", "unix:///run/x.sock", on Linux "unix://@name". Port 0 picks
	// one.
	Addr string

	// Protocol is what the connections speak. Nil means Server.Protocol.
	Protocol Protocol

	// Conn are the limits and deadlines of the connections. A field that is
	// zero is that of Server.Conn.
	Conn ConnConfig

	// Proxy, if set, has every connection begin with the header of the PROXY
	// protocol.
	Proxy *ProxyProtocol

	// Layer, if set, makes the layer of a connection, which lies above Proxy's.
	Layer func() Layer

	// OnConnect and OnClose, if set, are called in the place of the server's.
	OnConnect func(c *Conn)
	OnClose   func(c *Conn, err error)
}

// ConnConfig are the limits and deadlines of a connection. Zero means the
// default and negative means none.
type ConnConfig struct {
	// IdleTimeout closes a connection on which nothing has come or gone for
	// this long. It rests while the handler's own deadline or a Hold is set, and
	// while output waits, for which there is WriteTimeout. Zero means 75 seconds.
	IdleTimeout time.Duration

	// ReadIdleTimeout closes a connection from which nothing has come for this
	// long, whatever is sent to it: a device that is gone, although the server's
	// messages to it keep IdleTimeout from passing. It rests while reading is
	// paused. Zero means none beside IdleTimeout.
	ReadIdleTimeout time.Duration

	// FirstByteTimeout closes a connection on which nothing has come this long
	// after it began. Zero means none beside IdleTimeout.
	FirstByteTimeout time.Duration

	// Lifetime closes a connection this long after it began, whatever it does;
	// for that it has CloseTimeout at most. Zero means none.
	Lifetime time.Duration

	// WriteTimeout closes a connection while output waits whose peer has
	// acknowledged none of it for this long. A slow peer that goes on reading is
	// not closed, however much the kernel holds. Where the system does not tell,
	// it is what the kernel takes that counts. Zero means 30 seconds.
	WriteTimeout time.Duration

	// CloseTimeout is how long Close waits for a peer that makes no progress: that
	// does not take the output, then does not send FIN. Less than 1 KiB for each
	// second of it is none. A peer that goes on sending instead of FIN, an upload
	// that was answered early say, has 60 times as long in all. Zero means 10
	// seconds.
	CloseTimeout time.Duration

	// MaxInput is how many bytes Handler.Data may leave unused, and so the
	// longest message of handlers that take messages whole. Zero means 10 MiB.
	MaxInput int

	// MaxOutput is how many unsent bytes a connection may hold. Zero means
	// 64 MiB.
	MaxOutput int

	// HighWater and LowWater are the marks of OnBufferFull and OnBufferDrain
	// in bytes. Zero means 1 MiB and a quarter of HighWater.
	HighWater, LowWater int

	// DropNewest makes a Write that would exceed MaxOutput fail and keep the
	// connection; otherwise it fails and the connection is closed. Protocols
	// drop whole messages, never a part of one: a response of HTTP that has no
	// room ends its connection.
	DropNewest bool
}

// check says what is wrong with an endpoint that is complete, its address apart.
func (e *Endpoint) check() error {
	if err := checkProtocol(e.Protocol); err != nil {
		return err
	}
	if e.Proxy != nil {
		if err := e.Proxy.check(); err != nil {
			return fmt.Errorf("field Proxy: %w", err)
		}
	}
	return e.Conn.check("Conn")
}

var errNoProtocol = errors.New("field Protocol is nil; set it to web.HandlerFunc(…), say")

// origin makes what the connections of an endpoint that is complete have in common.
func (e *Endpoint) origin() *origin {
	return &origin{protocol: e.Protocol, onConnect: e.OnConnect, onClose: e.OnClose, connLimits: e.Conn.resolve(), newLayer: e.newLayer()}
}

// newLayer returns what makes the layer of a new connection, nil for none.
func (e *Endpoint) newLayer() func() Layer {
	if e.Proxy == nil {
		return e.Layer
	}
	return func() Layer { return &proxyLayer{p: e.Proxy, next: e.Layer} }
}

// or returns f with the fields of def where its own are zero.
func (f ConnConfig) or(def ConnConfig) ConnConfig {
	return ConnConfig{
		IdleTimeout:      cmp.Or(f.IdleTimeout, def.IdleTimeout),
		ReadIdleTimeout:  cmp.Or(f.ReadIdleTimeout, def.ReadIdleTimeout),
		FirstByteTimeout: cmp.Or(f.FirstByteTimeout, def.FirstByteTimeout),
		Lifetime:         cmp.Or(f.Lifetime, def.Lifetime),
		WriteTimeout:     cmp.Or(f.WriteTimeout, def.WriteTimeout),
		CloseTimeout:     cmp.Or(f.CloseTimeout, def.CloseTimeout),
		MaxInput:         cmp.Or(f.MaxInput, def.MaxInput),
		MaxOutput:        cmp.Or(f.MaxOutput, def.MaxOutput),
		HighWater:        cmp.Or(f.HighWater, def.HighWater),
		LowWater:         cmp.Or(f.LowWater, def.LowWater),
		DropNewest:       f.DropNewest || def.DropNewest,
	}
}

// connDefaults are what zero means in a ConnConfig.
var connDefaults = ConnConfig{
	IdleTimeout: 75 * time.Second, ReadIdleTimeout: -1, FirstByteTimeout: -1, Lifetime: -1,
	WriteTimeout: 30 * time.Second, CloseTimeout: 10 * time.Second,
	MaxInput: 10 << 20, MaxOutput: 64 << 20, HighWater: 1 << 20,
}

// check says what is wrong with f; place is where the program wrote it.
func (f ConnConfig) check(place string) error {
	r := f.or(connDefaults).resolve()
	if f.LowWater > 0 && f.LowWater > r.highWater {
		return fmt.Errorf("field %s.LowWater is %d, above HighWater, which is %d", place, f.LowWater, r.highWater)
	}
	return nil
}

// connLimits is a ConnConfig as connections use it.
type connLimits struct {
	times                                    timeouts
	maxInput, maxOutput, highWater, lowWater int
	dropNewest                               bool
}

// resolve applies the rule for zero and negative.
func (f ConnConfig) resolve() connLimits {
	f = f.or(connDefaults)
	l := connLimits{
		maxInput: limit(f.MaxInput), maxOutput: limit(f.MaxOutput), highWater: limit(f.HighWater), lowWater: f.LowWater,
		dropNewest: f.DropNewest,
		times: timeouts{
			first: ticks(timeout(f.FirstByteTimeout)), idle: ticks(timeout(f.IdleTimeout)),
			life: ticks(timeout(f.Lifetime)), readIdle: ticks(timeout(f.ReadIdleTimeout)),
			write: timeout(f.WriteTimeout), close: timeout(f.CloseTimeout),
		},
	}
	if l.lowWater <= 0 {
		l.lowWater = l.highWater / 4
	}
	return l
}
