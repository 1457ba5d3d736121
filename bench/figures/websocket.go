package main

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/jay-go/jay/internal/reset"
)

// Servers of the WebSocket figures. jay's has the name that verdict looks for.
var (
	wsJay   = server{name: jay.name, start: startJayProgram("wsjay")}
	wsGws   = server{name: "gws", start: program("wsgws")}
	wsCoder = server{name: "coder/websocket", start: program("wscoder")}
	wsFloor = server{name: "floor", start: startWSFloor}
)

//go:embed wsload/wsload.c
var wsloadSource []byte

// webSocketFigures are those of package websocket. CPU is held against gws, so
// gws comes first.
var webSocketFigures = []figure{
	{
		name:    "CPU per WebSocket message, echo",
		what:    "128 bytes on each of 1,000 connections, sent again when they have come back",
		servers: []server{wsGws, wsJay, wsCoder, wsFloor},
		goal:    0.75, unit: "× gws",
		measure: webSocketCost("echo", 1000),
	},
	{
		name:    "CPU per WebSocket message, broadcast",
		what:    "256 bytes to each of 5,000 connections, one message at a time, every 50 ms",
		servers: []server{wsGws, wsJay, wsFloor},
		goal:    0.7, unit: "× gws",
		missing: "Nearly all of it is the kernel's send, which the floor pays as well. Of what jay pays above the floor its own code is\n" +
			"about 0.2 µs, and the monitor of Go's scheduler, which wakes some fifty times after the loop has slept, nearly as much.",
		measure: webSocketCost("broadcast", 5000, "1", "50"),
	},
	{
		name:    "CPU per WebSocket message, broadcast in bursts",
		what:    "256 bytes to each of 5,000 connections, eight messages in one turn, every 100 ms",
		servers: []server{wsGws, wsJay, wsFloor},
		goal:    0.33, unit: "× gws",
		measure: webSocketCost("broadcast", 5000, "8", "100"),
	},
	{
		name:    "Memory in use per idle WebSocket connection",
		what:    "heap and stacks in use after a GC, after one echo on each connection; slope from 3,000 to 9,000 connections",
		servers: []server{wsJay, wsGws, wsCoder},
		goal:    700, unit: "bytes",
		measure: webSocketMemory("", func(s sample) float64 { return s.inUse }),
	},
	{
		name:    "Memory in use per idle WebSocket connection, deflate negotiated",
		what:    "the same with permessage-deflate",
		servers: []server{wsJay, wsGws, wsCoder},
		goal:    800, unit: "bytes",
		measure: webSocketMemory(offerDeflate, func(s sample) float64 { return s.inUse }),
	},
	{
		name:    "Anonymous memory per idle WebSocket connection, deflate negotiated",
		what:    "the server process's RssAnon at the same two moments; it depends on the collector's history",
		servers: []server{wsJay, wsGws, wsCoder},
		unit:    "bytes",
		measure: webSocketMemory(offerDeflate, func(s sample) float64 { return s.anonymous }),
	},
}

const offerDeflate = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"

func buildWSLoad(ctx context.Context, b *bench) (string, error) {
	path := b.path("wsload")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.WriteFile(path+".c", wsloadSource, 0o600); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "gcc", "-O2", "-o", path, path+".c")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return path, nil
}

func startWSFloor(ctx context.Context, b *bench) (*process, error) {
	path, err := buildWSLoad(ctx, b)
	if err != nil {
		return nil, err
	}
	return startTelling(ctx, path, "floor")
}

// webSocketCost is cpuPerRequest with wsload as the client.
func webSocketCost(load string, connections int, args ...string) func(context.Context, *bench, figure, options) (result, error) {
	return func(ctx context.Context, b *bench, f figure, o options) (result, error) {
		servers := f.servers
		if o.short {
			servers = servers[:2]
		}
		client, err := buildWSLoad(ctx, b)
		if err != nil {
			return result{}, err
		}
		costs := make([][]float64, len(servers)) // by server, then round: ns per message
		for range o.rounds {
			for i, s := range servers {
				p, err := s.start(ctx, b)
				if err != nil {
					return result{}, fmt.Errorf("%s: %w", s.name, err)
				}
				argv := append([]string{client, load, host(p.addr), port(p.addr), strconv.Itoa(connections), fmt.Sprint(o.seconds)}, args...)
				cost, err := wsCostOnce(ctx, p, argv)
				p.stop()
				if err != nil {
					return result{}, fmt.Errorf("%s: %w", s.name, err)
				}
				costs[i] = append(costs[i], cost)
			}
		}
		return besideFirst(f, servers, costs), nil
	}
}

// besideFirst compares within each round with the first server.
func besideFirst(f figure, servers []server, costs [][]float64) result {
	r := result{figure: f}
	for i, s := range servers {
		ratios := make([]float64, len(costs[i]))
		for round := range ratios {
			ratios[round] = costs[i][round] / costs[0][round]
		}
		low, middle, high := spread(ratios)
		_, ns, _ := spread(costs[i])
		text := fmt.Sprintf("%.2f × %s (%.2f to %.2f; %.2f µs)", middle, servers[0].name, low, high, ns/1e3)
		if i == 0 {
			text = fmt.Sprintf("%.2f µs", ns/1e3)
		}
		r.values = append(r.values, value{s.name, middle, text})
	}
	return r
}

func host(addr string) string { h, _, _ := net.SplitHostPort(addr); return h }
func port(addr string) string { _, p, _ := net.SplitHostPort(addr); return p }

// wsCostOnce runs the load and reads the server's clock where it says so.
func wsCostOnce(ctx context.Context, p *process, argv []string) (float64, error) {
	cmd := exec.CommandContext(ctx, "taskset", append([]string{"-c", clientCore}, argv...)...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	cost, err := wsDialogue(p, in, bufio.NewScanner(out))
	return cost, errors.Join(err, cmd.Wait())
}

func wsDialogue(p *process, in io.Writer, out *bufio.Scanner) (float64, error) {
	var clock [2]float64
	for i := range clock {
		if !out.Scan() {
			return 0, errors.New("wsload ended too early")
		}
		now, err := p.cpu()
		if err != nil {
			return 0, err
		}
		clock[i] = float64(now)
		if _, err := io.WriteString(in, "go on\n"); err != nil {
			return 0, err
		}
	}
	var messages float64
	if !out.Scan() {
		return 0, errors.New("wsload reported nothing")
	}
	if _, err := fmt.Sscanf(out.Text(), "messages %g", &messages); err != nil || messages == 0 {
		return 0, fmt.Errorf("wsload reported %q", out.Text())
	}
	return (clock[1] - clock[0]) / messages, nil
}

// webSocketMemory is memory with handshakes and echoes.
func webSocketMemory(offer string, of func(sample) float64) func(context.Context, *bench, figure, options) (result, error) {
	return func(ctx context.Context, b *bench, f figure, o options) (result, error) {
		r := result{figure: f}
		for _, s := range f.servers {
			if o.short && s.name != jay.name {
				continue
			}
			few, many, err := growWebSockets(ctx, b, s, offer)
			if err != nil {
				return r, fmt.Errorf("%s: %w", s.name, err)
			}
			slope := (of(many) - of(few)) / (manyConnections - fewConnections)
			r.values = append(r.values, value{s.name, slope, fmt.Sprintf("%.0f bytes", slope)})
		}
		return r, nil
	}
}

func growWebSockets(ctx context.Context, b *bench, s server, offer string) (few, many sample, err error) {
	p, err := s.start(ctx, b)
	if err != nil {
		return few, many, err
	}
	defer p.stop()
	var conns []*wsClient
	defer func() {
		for _, c := range conns {
			reset.Close(c.conn)
		}
	}()
	for _, step := range []struct {
		count int
		into  *sample
	}{{fewConnections, &few}, {manyConnections, &many}} {
		for len(conns) < step.count && ctx.Err() == nil {
			c, err := dialWebSocket(p.addr, offer)
			if err != nil {
				return few, many, err
			}
			conns = append(conns, c)
			if _, err := c.echo(strings.Repeat("x", 128)); err != nil {
				return few, many, err
			}
		}
		answer, err := conns[0].echo("memory")
		if err != nil {
			return few, many, err
		}
		if step.into.inUse, err = strconv.ParseFloat(answer, 64); err != nil {
			return few, many, err
		}
		if step.into.anonymous, err = anonymous(p.server()); err != nil {
			return few, many, err
		}
	}
	return few, many, ctx.Err()
}

// wsClient does no more than the memory figures need.
type wsClient struct{ conn net.Conn }

func dialWebSocket(addr, offer string) (*wsClient, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n", addr, offer)
	head := make([]byte, 0, 1024)
	for err == nil && !strings.HasSuffix(string(head), "\r\n\r\n") && len(head) < cap(head) {
		head = head[:len(head)+1]
		_, err = conn.Read(head[len(head)-1:])
	}
	if err == nil && !strings.HasPrefix(string(head), "HTTP/1.1 101 ") {
		err = fmt.Errorf("handshake answered with %q", head)
	}
	if err == nil && (offer != "") != strings.Contains(strings.ToLower(string(head)), "permessage-deflate") {
		err = fmt.Errorf("offered %q, answered with %q", offer, head)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &wsClient{conn}, nil
}

// echo sends a text of at most 65,535 bytes and returns the answer.
func (c *wsClient) echo(text string) (string, error) {
	frame := binary.BigEndian.AppendUint16([]byte{0x81, 0xfe}, uint16(len(text)))
	if len(text) < 126 {
		frame = []byte{0x81, 0x80 | byte(len(text))}
	}
	if _, err := c.conn.Write(append(append(frame, 0, 0, 0, 0), text...)); err != nil {
		return "", err
	}
	head := make([]byte, 2)
	if _, err := io.ReadFull(c.conn, head); err != nil {
		return "", err
	}
	n := int(head[1])
	if n == 126 {
		if _, err := io.ReadFull(c.conn, head); err != nil {
			return "", err
		}
		n = int(binary.BigEndian.Uint16(head))
	}
	answer := make([]byte, n)
	_, err := io.ReadFull(c.conn, answer)
	return string(answer), err
}
