package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/jay-go/jay/internal/reset"
)

// heldClients is how many send most of something long and then wait; heldBytes
// is what each sends of it.
const (
	heldClients = 120
	heldBytes   = 9 << 20
	heldWhole   = 10 << 20
)

var heldServer = server{name: jay.name, start: startJayProgram("held")}

// memoryHeld measures the most that a worker with a budget takes while clients
// send what it can only keep.
func memoryHeld(begin func(net.Conn) error) func(context.Context, *bench, figure, options) (result, error) {
	return func(ctx context.Context, b *bench, f figure, o options) (result, error) {
		most, err := holdOnce(ctx, b, begin)
		if err != nil {
			return result{}, err
		}
		mib := most / (1 << 20)
		return result{f, []value{{jay.name, mib, fmt.Sprintf("%.0f MiB", mib)}}}, nil
	}
}

func holdOnce(ctx context.Context, b *bench, begin func(net.Conn) error) (most float64, err error) {
	p, err := heldServer.start(ctx, b)
	if err != nil {
		return 0, err
	}
	defer p.stop()
	conns := make([]net.Conn, heldClients)
	defer func() {
		for _, c := range conns {
			if c != nil {
				reset.Close(c)
			}
		}
	}()
	for i := range conns {
		if conns[i], err = net.Dial("tcp", p.addr); err != nil {
			return 0, err
		}
		conns[i].SetDeadline(time.Now().Add(20 * time.Second))
		if err := begin(conns[i]); err != nil {
			return 0, err
		}
	}
	var sending sync.WaitGroup
	for _, c := range conns {
		sending.Go(func() { sendMost(c) })
	}
	sent := make(chan struct{})
	go func() { sending.Wait(); close(sent) }()
	for done := false; !done && ctx.Err() == nil; {
		select {
		case <-sent:
			done = true
		case <-time.After(10 * time.Millisecond):
		}
		now, errNow := anonymous(p.server())
		most, err = max(most, now), errors.Join(err, errNow)
	}
	return most, errors.Join(err, ctx.Err())
}

// sendMost sends what was announced, but for the end of it. The server may
// refuse at any time, and a client that it has refused is none of the figure's.
func sendMost(c net.Conn) {
	block := make([]byte, 64<<10)
	for left := heldBytes; left > 0; {
		n, err := c.Write(block[:min(left, len(block))])
		if left -= n; err != nil {
			return
		}
	}
}

// beginBody announces a long body.
func beginBody(c net.Conn) error {
	_, err := fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n", heldWhole)
	return err
}

// beginMessage opens a WebSocket and announces a long message: the mask is zero,
// so that any payload is as it is (RFC 6455 section 5.3).
func beginMessage(c net.Conn) error {
	const request = "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	if _, err := io.WriteString(c, request); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("upgrade: %s", resp.Status)
	}
	head := []byte{0x82, 0x80 | 127}
	head = binary.BigEndian.AppendUint64(head, heldWhole)
	_, err = c.Write(append(head, 0, 0, 0, 0))
	return err
}
