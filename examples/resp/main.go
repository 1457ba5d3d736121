// Resp is a key-value server that speaks Redis's protocol, RESP2 and RESP3:
//
//	go run ./examples/resp start
//	redis-cli -p 6380 set greeting hello ex 60
//
// It keeps strings in the memory of its one worker: they are gone when that
// ends, by stop or by reload. A key or a value has at most 8 MiB (CONFIG GET
// proto-max-bulk-len), a request 1,048,576 strings, a reply of MGET 32 MiB, and
// there is one database. COMMAND LIST says what it can do; there is no
// publishing, no transaction and no script.
package main

import (
	"errors"
	"strings"
	"time"

	"github.com/jay-go/jay"
)

func main() {
	s := &server{keys: newKeys(), commands: commands()}
	jay.Main(&jay.Server{
		Name:          "resp",
		Addr:          "tcp://127.0.0.1:6380",
		Workers:       1, // the keys are those of one process
		Conn:          jay.ConnConfig{IdleTimeout: -1},
		Protocol:      &jay.Messages[request]{Codec: codec{}, OnMessage: s.answer},
		OnWorkerStart: s.start,
		OnError:       s.failed,
	})
}

// server answers requests. It belongs to the worker's loop.
type server struct {
	keys     *keys
	commands map[string]command
	request  request // the one being answered
}

func (s *server) start(w *jay.Worker) error {
	began := time.Now()
	s.keys.now = func() int64 { return w.Loop().Now().Sub(began).Milliseconds() }
	w.Loop().Every(100*time.Millisecond, s.keys.sweep)
	return nil
}

// answer is called once for each request. What it appends to the connection's
// own buffer is not copied again.
func (s *server) answer(c *jay.Conn, q request) {
	if q.n == 0 {
		return // an empty line, or an array of nothing
	}
	s.request = q
	s.request.from = clientOf(c)
	out, last := s.run(c.AvailableBuffer(), &s.request)
	_, _ = c.Write(out) // a client that does not read is closed by the limits
	if last {
		c.Close()
	}
}

// clientOf is what the connection has told of itself.
func clientOf(c *jay.Conn) *client {
	known, ok := c.Value().(*client)
	if !ok {
		known = newClient(c.ID())
		c.SetValue(known)
	}
	return known
}

// run appends the reply to q; last says that it is the connection's last.
func (s *server) run(out []byte, q *request) (reply []byte, last bool) {
	var lower [16]byte
	cmd, ok := s.commands[string(appendLower(lower[:0], q.arg(0)))]
	switch {
	case !ok:
		return appendUnknown(out, q), false
	case cmd.arity >= 0 && q.n != cmd.arity, q.n < -cmd.arity:
		return appendError(out, "ERR wrong number of arguments for '", string(appendLower(nil, q.arg(0))), "' command"), false
	}
	if cmd.sub != nil && q.n > 1 {
		return s.runSub(cmd, out, q), false
	}
	return cmd.run(s.keys, out, q), cmd.last
}

// runSub is run for a command of two words.
func (s *server) runSub(cmd command, out []byte, q *request) []byte {
	first, second := appendLower(nil, q.arg(0)), appendLower(nil, q.arg(1))
	sub, ok := cmd.sub[string(second)]
	switch {
	case !ok:
		return appendError(out, "ERR unknown subcommand '", printable(q.arg(1), 128), "'. Try ", strings.ToUpper(string(first)), " HELP.")
	case sub.arity >= 0 && q.n != sub.arity, q.n < -sub.arity:
		return appendError(out, "ERR wrong number of arguments for '", string(first)+"|"+string(second), "' command")
	}
	return sub.run(s.keys, out, q)
}

// failed says goodbye to a client that does not speak the protocol.
func (s *server) failed(c *jay.Conn, err error) {
	if broken := protocolError(""); c != nil && errors.As(err, &broken) {
		_, _ = c.Write(appendError(nil, "ERR Protocol error: ", string(broken)))
	}
}
