package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// Proxies carry what a client sends to the sink, the bench's own.
var (
	jayProxy = server{name: jay.name, start: func(ctx context.Context, b *bench) (*process, error) {
		return startJayProgram("tcpproxy", "--to", "tcp://"+b.sink)(ctx, b)
	}}
	haProxy  = server{name: "haproxy", start: startHAProxy("")}
	haSplice = server{name: "haproxy, splice-auto", start: startHAProxy("option splice-auto")}
	socat    = server{name: "socat", start: startSocat}
)

// Before the measuring so much passes a proxy, in the same connection.
const warmUp = 64 << 20

// carriedBytes is how much then passes it.
func (o options) carriedBytes() int {
	if o.short {
		return 256 << 20
	}
	return 2 << 30
}

// proxyCost measures CPU per MiB, all proxies in turn, round after round.
func proxyCost(ctx context.Context, b *bench, f figure, o options) (result, error) {
	servers := f.servers
	if o.short {
		servers = servers[:2]
	}
	costs := make([][]float64, len(servers)) // by server, then round: ns per MiB
	for range o.rounds {
		for i, s := range servers {
			c, err := carry(ctx, b, s, o.carriedBytes())
			if err != nil {
				return result{}, fmt.Errorf("%s: %w", s.name, err)
			}
			costs[i] = append(costs[i], float64(c.cpu)/float64(o.carriedBytes()>>20))
		}
	}
	return besideFirst(f, servers, costs), nil
}

// proxyMemory measures by how much the proxy grows meanwhile.
func proxyMemory(ctx context.Context, b *bench, f figure, o options) (result, error) {
	r := result{figure: f}
	for _, s := range f.servers {
		if o.short && s.name != jay.name {
			continue
		}
		c, err := carry(ctx, b, s, o.carriedBytes())
		if err != nil {
			return r, fmt.Errorf("%s: %w", s.name, err)
		}
		r.values = append(r.values, value{s.name, c.grown / 1024, fmt.Sprintf("%.0f KiB", c.grown/1024)})
	}
	return r, nil
}

// carried is what it took a proxy to carry bytes.
type carried struct {
	cpu   time.Duration
	grown float64 // bytes of RssAnon more than at the beginning, at most
}

// carry sends size bytes through a proxy to the sink.
func carry(ctx context.Context, b *bench, s server, size int) (c carried, err error) {
	if err := pin(clientCore); err != nil {
		return c, err
	}
	sink, err := newSink()
	if err != nil {
		return c, err
	}
	defer sink.close()
	b.sink = sink.ln.Addr().String()
	p, err := s.start(ctx, b)
	if err != nil {
		return c, err
	}
	defer p.stop()
	conn, err := dialSoon(p.addr)
	if err != nil {
		return c, err
	}
	defer conn.Close()
	if err := sink.take(conn, warmUp); err != nil {
		return c, err
	}
	cpu, err := p.cpu()
	if err != nil {
		return c, err
	}
	least, err := anonymous(p.server())
	const parts = 16
	for range parts {
		if err == nil {
			err = sink.take(conn, size/parts)
		}
		now, errNow := anonymous(p.server())
		c.grown = max(c.grown, now-least)
		err = errors.Join(err, errNow)
	}
	after, errCPU := p.cpu()
	c.cpu = after - cpu
	return c, errors.Join(err, errCPU, ctx.Err())
}

// A sink reads what its one connection brings.
type sink struct {
	ln   net.Listener
	want chan int   // bytes to read
	got  chan error // when they are read
}

func newSink() (*sink, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &sink{ln, make(chan int), make(chan error, 1)}
	go s.read()
	return s, nil
}

func (s *sink) read() {
	conn, err := s.ln.Accept()
	for n := range s.want {
		for buf := make([]byte, 1<<20); n > 0 && err == nil; {
			var k int
			k, err = conn.Read(buf)
			n -= k
		}
		if n < 0 && err == nil {
			err = fmt.Errorf("%d bytes came that nobody sent", -n)
		}
		s.got <- err
	}
	if conn != nil {
		conn.Close()
	}
}

// take sends n bytes on conn and returns when all of them have arrived.
func (s *sink) take(conn net.Conn, n int) error {
	conn.SetDeadline(time.Now().Add(time.Minute))
	s.want <- n
	block := make([]byte, 1<<20)
	for n > 0 {
		k, err := conn.Write(block[:min(n, len(block))])
		if n -= k; err != nil {
			return err
		}
	}
	select {
	case err := <-s.got:
		return err
	case <-time.After(time.Minute):
		return errors.New("not all that was sent arrives")
	}
}

func (s *sink) close() {
	s.ln.Close()
	close(s.want)
}

const haProxyConfig = `
global
	nbthread 1
defaults
	mode tcp
	timeout connect 5s
	timeout client 60s
	timeout server 60s
	%s
listen proxy
	bind %s
	server sink %s
`

func startHAProxy(option string) func(context.Context, *bench) (*process, error) {
	return func(ctx context.Context, b *bench) (*process, error) {
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		config := b.path("haproxy.cfg")
		if err := os.WriteFile(config, fmt.Appendf(nil, haProxyConfig, option, addr, b.sink), 0o600); err != nil {
			return nil, err
		}
		return startAt(ctx, addr, "haproxy", "-q", "-db", "-f", config)
	}
}

// startSocat serves one connection: each further one would have a process of
// its own.
func startSocat(ctx context.Context, b *bench) (*process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	return startAt(ctx, addr, "socat", "-t", "60", "-b", "65536", "TCP-LISTEN:"+port(addr)+",bind="+host(addr)+",reuseaddr", "TCP:"+b.sink)
}
