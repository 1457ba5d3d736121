// Tcpproxy carries connections to another address:
//
//	go run ./examples/tcpproxy start --to tcp://127.0.0.1:9999
//	curl http://127.0.0.1:7004/
//
// Neither side can outrun the other, a half-close is carried over, and memory
// stays constant whatever passes.
package main

import (
	"errors"
	"flag"

	"github.com/jay-go/jay"
)

func main() {
	p := &proxy{}
	flag.StringVar(&p.to, "to", "", "where connections go: tcp://host:port or unix:///path")
	jay.Main(&jay.Server{
		Name:          "tcpproxy",
		Addr:          "tcp://127.0.0.1:7004",
		Protocol:      p,
		OnWorkerStart: p.check,
		OnError:       p.failed,
	})
}

// proxy is the Protocol of clients, and their Handler until they are connected
// through.
type proxy struct {
	to string
	unjoined
}

func (p *proxy) check(*jay.Worker) error {
	if p.to == "" {
		return errors.New("--to is missing; it says where connections go, as in --to tcp://127.0.0.1:9999")
	}
	return nil
}

// Name is the word for status.
func (p *proxy) Name() string { return "proxy" }

// NewConn has every client handled here.
func (p *proxy) NewConn(*jay.Conn) jay.Handler { return p }

// Open dials. Until the other end is there nothing is read.
func (p *proxy) Open(client *jay.Conn) {
	client.PauseRead()
	jay.Dialer{}.Dial(client.Worker(), p.to, backend, func(server *jay.Conn, err error) {
		switch {
		case err != nil:
			client.CloseOn(jay.SystemFault, err)
		case client.Ref().Closed():
			server.Abort()
		default:
			jay.Pipe(client, server)
			client.ResumeRead()
		}
	})
}

func (p *proxy) failed(c *jay.Conn, err error) {
	if c != nil {
		c.Worker().Logger().Warn("connection failed", "client", c.RemoteAddr(), "to", p.to, "error", err)
	}
}

// backend is the protocol of the other end.
var backend = jay.NewProtocol("proxy", func(*jay.Conn) jay.Handler { return unjoined{} })

// unjoined is the Handler of a connection until Pipe gives it another.
type unjoined struct{}

func (unjoined) Open(*jay.Conn)                      {}
func (unjoined) Data(*jay.Conn, []byte) (int, error) { return 0, nil }
func (unjoined) Close(*jay.Conn, error)              {}
