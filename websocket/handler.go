package websocket

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/web"
	"github.com/klauspost/compress/flate"
)

// Handler is what a service does with its WebSocket connections: callbacks,
// limits, and what the handshake asks for. The zero value accepts and answers
// nothing. It must not be changed once it serves, nor copied.
//
// Callbacks run on the connection's loop, one at a time, and must not block.
//
// For durations and sizes zero means the default and negative means none.
type Handler struct {
	// OnUpgrade, if set, is called by Serve for a request that could be
	// upgraded. Its value becomes Conn.Value. With ok false the response in w
	// is sent instead: 403 unless it sets another status (401, 404).
	OnUpgrade func(w *web.ResponseWriter, r *web.Request) (value any, ok bool)

	// OnOpen is called when the connection is open.
	OnOpen func(c *Conn)

	// OnMessage is called for each message, in order. m is valid until it
	// returns; m.Text, m.Bytes and m.Clone copy.
	OnMessage func(c *Conn, m Message)

	// OnPing and OnPong are called for what the peer sends; a ping has been
	// answered by then. payload is valid until they return.
	OnPing, OnPong func(c *Conn, payload []byte)

	// OnWritable is called when, after more than ConnConfig.HighWater of the
	// output was unsent, less than ConnConfig.LowWater is.
	OnWritable func(c *Conn)

	// OnClose is called once, last, for each connection that OnOpen was
	// called for. code and reason are those of the first Close frame,
	// whichever side sent it; CloseAbnormal when the connection ended
	// without one.
	OnClose func(c *Conn, code Code, reason string)

	// OnError is called for what the peer or a callback did wrong: *Error,
	// *jay.PanicError, or why a limit of jay.Server was reached. The
	// connection is closed. jay.Server.OnError is called as well.
	OnError func(c *Conn, err error)

	// Origins are the origins, beside the server's own, whose pages may
	// connect: "https://app.example.com", "*.example.com" with any scheme, apps
	// and extensions such as "capacitor://localhost", "chrome-extension://*" and
	// "file://", "null" for pages without an origin, "*" for all of them. A host
	// without a port has the one of its scheme, and ":*" is any port. A request without Origin is not a
	// browser's and allowed.
	Origins []string

	// CheckOrigin, if set, decides instead.
	CheckOrigin func(origin, host string) bool

	// Subprotocols are those that the service speaks, the preferred first.
	Subprotocols []string

	// Deflate, if set, compresses messages for clients that can do it.
	Deflate *Deflate

	// MaxMessage bounds a message in bytes, also while it is inflated. Zero
	// means 1 MiB.
	MaxMessage int64

	// MaxFrame bounds the payload of a frame. Zero means MaxMessage.
	MaxFrame int64

	// MaxFragments bounds the frames of a message. Zero means 131,072.
	MaxFragments int

	// MaxControlRate bounds the control frames a second. Zero means 1,000.
	MaxControlRate int

	// PingInterval is after how long a silence a ping is sent; it may take
	// twice as long. With a negative value there are no pings and
	// ConnConfig.IdleTimeout is in force. Zero means 30 seconds.
	PingInterval time.Duration

	// PongTimeout is how long after a ping something must come, or the
	// connection is given up. It counts anew while the peer takes what is ahead
	// of the ping, and once the ping has reached it. Zero means 10 seconds.
	PongTimeout time.Duration

	// CloseTimeout is how long Close waits for the peer's Close frame, counted as
	// PongTimeout is. Zero means 5 seconds.
	CloseTimeout time.Duration

	deflaters deflaters
	inflaters inflaters
	blocks    blockPool
}

// unlimited is the limit of sizes where there is none.
const unlimited = 1 << 40

func (h *Handler) limits() limits {
	l := limits{message: limit(h.MaxMessage, 1<<20, unlimited), fragments: uint32(limit(int64(h.MaxFragments), 1<<17, 1<<32-1))}
	l.frame = limit(h.MaxFrame, l.message, unlimited)
	return l
}

func (h *Handler) maxControlRate() int {
	return int(limit(int64(h.MaxControlRate), 1000, 1<<31-1))
}

func (h *Handler) pingInterval() time.Duration { return timeout(h.PingInterval, 30*time.Second) }
func (h *Handler) pongTimeout() time.Duration  { return timeout(h.PongTimeout, 10*time.Second) }
func (h *Handler) closeTimeout() time.Duration { return timeout(h.CloseTimeout, 5*time.Second) }

// timeout applies the rule of the package; 0 of the result is no limit, as
// jay.Conn.SetDeadline has it.
func timeout(d, zero time.Duration) time.Duration {
	if d == 0 {
		return zero
	}
	return max(d, 0)
}

func limit(n, zero, none int64) int64 {
	switch {
	case n == 0:
		return zero
	case n < 0:
		return none
	}
	return min(n, none)
}

// Serve answers a request with the upgrade, or says why not: it is a
// [web.Handler].
func (h *Handler) Serve(w *web.ResponseWriter, r *web.Request) {
	a, no := h.handshake(r)
	if no != nil {
		no.respond(w)
		return
	}
	var value any
	if h.OnUpgrade != nil {
		_ = w.SetStatus(403)
		var ok bool
		if value, ok = h.OnUpgrade(w, r); !ok {
			return
		}
	}
	h.switchTo(w, r, a, value)
}

// Upgrade is Serve without OnUpgrade, for a handler that has looked at the
// request itself. It reports whether the connection will be a WebSocket, with
// value as its Conn.Value; otherwise w holds the refusal.
func (h *Handler) Upgrade(w *web.ResponseWriter, r *web.Request, value any) bool {
	a, no := h.handshake(r)
	if no != nil {
		no.respond(w)
		return false
	}
	return h.switchTo(w, r, a, value)
}

func (h *Handler) switchTo(w *web.ResponseWriter, r *web.Request, a acceptance, value any) bool {
	_ = w.SetStatus(101) // what fails here fails Switch
	_ = w.SetHeader("Upgrade", "websocket")
	_ = w.SetHeader("Sec-WebSocket-Accept", a.accept)
	if a.subprotocol != "" {
		_ = w.SetHeader("Sec-WebSocket-Protocol", a.subprotocol)
	}
	if a.extensions != "" {
		_ = w.SetHeader("Sec-WebSocket-Extensions", a.extensions)
	}
	jc := r.Conn()
	if w.Switch((*events)(newConn(h, jc, a))) != nil {
		return false
	}
	jc.SetValue(value)
	return true
}

func (no *refusal) respond(w *web.ResponseWriter) {
	_ = w.SetStatus(no.status)
	var options []string
	switch no.status {
	case 405:
		_ = w.SetHeader("Allow", "GET")
	case 426:
		options = append(options, "Upgrade")
		_ = w.SetHeader("Upgrade", "websocket")
		_ = w.SetHeader("Sec-WebSocket-Version", version)
	}
	if no.closes {
		options = append(options, "close")
	}
	if len(options) > 0 {
		_ = w.SetHeader("Connection", strings.Join(options, ", "))
	}
	_ = w.SetContentType("text/plain; charset=utf-8")
	_ = w.SetHeader("X-Content-Type-Options", "nosniff")
	_, _ = w.WriteString(no.reason + "\n")
}

// Check: see [jay.Checker]. It also finds an origin that allows nothing.
func (h *Handler) Check() error {
	for _, pattern := range h.Origins {
		if err := checkPattern(pattern); err != nil {
			return fmt.Errorf("field Origins: %w", err)
		}
	}
	if h.Deflate != nil {
		if _, err := flate.NewWriter(io.Discard, h.Deflate.level()); err != nil {
			return fmt.Errorf("field Deflate.Level: %w", err)
		}
	}
	return nil
}

// Name is the word for status.
func (h *Handler) Name() string { return "websocket" }

// NewConn serves HTTP until the upgrade, with the defaults of web.Protocol: a
// Handler is a jay.Protocol, for a service that is nothing but WebSocket.
func (h *Handler) NewConn(c *jay.Conn) jay.Handler { return web.HandlerFunc(h.Serve).NewConn(c) }

// Limits are for status: by name, with the unit at the end. Until the upgrade
// those of web.Protocol are in force.
func (h *Handler) Limits() map[string]float64 {
	all := web.HandlerFunc(nil).Limits()
	l := h.limits()
	all["max_message_bytes"] = float64(l.message)
	all["max_frame_bytes"] = float64(l.frame)
	all["max_fragments"] = float64(l.fragments)
	all["max_control_frames_per_s"] = float64(h.maxControlRate())
	all["ping_interval_s"] = h.pingInterval().Seconds()
	all["pong_timeout_s"] = h.pongTimeout().Seconds()
	all["close_frame_timeout_s"] = h.closeTimeout().Seconds()
	return all
}
