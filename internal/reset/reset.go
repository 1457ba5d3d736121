// Package reset connects tests to servers without a trace. A TCP connection
// that ends in order stays in TIME_WAIT for a minute and keeps its port from
// every server that asks for a free one; thousands of tests' connections leave
// none. One that is reset leaves nothing, at either end.
package reset

import (
	"context"
	"net"
	"time"
)

// Dial is net.DialTimeout. Close of a TCP connection resets it, so it is for
// clients that have everything they wanted when they close, or whose server
// closes first.
func Dial(network, addr string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return DialContext(ctx, network, addr)
}

// DialContext is Dial for an http.Transport.
func DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	onClose(c)
	return c, nil
}

// Close closes a connection, a TCP connection by reset. It is for the end of a
// test: what the connection's end is to the server is no matter any more. After
// an earlier Close, or where the peer has answered a half-close with its own
// end, there is nothing left to reset.
func Close(c net.Conn) error {
	onClose(c)
	return c.Close()
}

func onClose(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // fails where the connection is closed already
	}
}
