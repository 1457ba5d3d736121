package websocket

import (
	"github.com/jay-go/jay"
	"github.com/jay-go/jay/internal/poison"
)

// events is a Conn as its jay.Conn sees it; the type keeps the protocol's
// seam out of Conn's exported methods.
type events Conn

// Open is the beginning: the response 101 is written.
func (e *events) Open(jc *jay.Conn) {
	c := (*Conn)(e)
	c.setState(stateOpen)
	c.setKeepalive()
	if c.h.OnOpen != nil {
		c.h.OnOpen(c)
	}
}

// Protocol is what is spoken since the upgrade.
func (e *events) Protocol() jay.Protocol { return e.h }

// Data reads frames for as long as there are any and the connection takes
// more.
func (e *events) Data(jc *jay.Conn, b []byte) (used int, err error) {
	c := (*Conn)(e)
	c.flags |= flagHeard
	lim := c.h.limits()
	for used < len(b) && jc.Reading() && !jc.Replaced() {
		from := used
		ev, n, err := c.in.next(b[used:], lim, jc)
		used += n
		switch {
		case err != nil:
			c.fail(err.(*Error))
			return len(b), nil
		case ev.op == opContinuation:
			return used, nil
		}
		c.take(ev)
		c.in.release()
		poison.Fill(b[from:used])
	}
	return used, nil
}

// take acts on a message or control frame.
func (c *Conn) take(ev event) {
	if ev.op.control() && !c.control.allow(c.jc.Now(), c.h.maxControlRate()) {
		c.fail(errControlRate)
		return
	}
	switch ev.op {
	case opPing:
		c.tookPing(ev.data)
	case opPong:
		if c.h.OnPong != nil && c.state == stateOpen {
			c.h.OnPong(c, ev.data)
		}
	case opClose:
		c.tookClose(ev.data)
	default:
		c.jc.CountRequest()
		c.tookMessage(ev)
	}
}

func (c *Conn) tookPing(payload []byte) {
	if c.state != stateOpen {
		return
	}
	_ = c.write(bitFin|byte(opPong), payload) // an error has closed the connection
	if c.h.OnPing != nil {
		c.h.OnPing(c, payload)
	}
}

func (c *Conn) tookMessage(ev event) {
	if c.state != stateOpen {
		return
	}
	if !ev.compressed {
		c.tell(Message{data: ev.data, op: ev.op, valid: true})
		return
	}
	inf := c.h.inflaters.get()
	var joined *jay.Buffer
	if ev.joined {
		joined = &c.in.part
	}
	data, err := inf.inflate(c.jc, ev.data, joined, c.windows, c.agreed, c.h.limits().message)
	m := Message{data: data, op: ev.op}
	if err == nil && m.check() != nil {
		err = errText
	}
	if err != nil {
		c.fail(err)
	} else {
		m.valid = true
		c.tell(m)
	}
	c.h.inflaters.put(inf)
}

func (c *Conn) tell(m Message) {
	if c.h.OnMessage != nil {
		c.h.OnMessage(c, m)
	}
}
