package websocket_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/websocket"
)

// header is a frame's header with any length field, and a mask of zeros.
func header(first byte, length ...byte) []byte {
	length[0] |= 0x80
	return append(append([]byte{first}, length...), 0, 0, 0, 0)
}

// TestBreaches: what a peer must not do, and the code it is told.
func TestBreaches(t *testing.T) {
	const deflate = "Sec-WebSocket-Extensions: permessage-deflate"
	unmasked := append([]byte{fin | opText, 5}, "hello"...)
	for _, tt := range []struct {
		name    string
		code    websocket.Code
		send    []byte
		offered string
	}{
		{"unmasked frame", websocket.CloseProtocol, unmasked, ""},
		{"16-bit length below 126", websocket.CloseProtocol, header(fin|opText, 126, 0, 125), ""},
		{"64-bit length below 65536", websocket.CloseProtocol, header(fin|opText, 127, 0, 0, 0, 0, 0, 0, 255, 255), ""},
		{"64-bit length with the top bit", websocket.CloseProtocol, header(fin|opText, 127, 128, 0, 0, 0, 0, 1, 0, 0), ""},
		{"length over the limit", websocket.CloseTooBig, header(fin|opBinary, 127, 0, 0, 0, 0, 0, 16, 0, 1), ""},
		{"fragments over the limit", websocket.CloseTooBig,
			slices.Concat(frame(opBinary, make([]byte, 1<<19)), header(fin|opContinuation, 127, 0, 0, 0, 0, 0, 8, 0, 1)), ""},
		{"fragmented ping", websocket.CloseProtocol, frame(opPing, nil), ""},
		{"fragmented close", websocket.CloseProtocol, frame(opClose, nil), ""},
		{"ping of 126 bytes", websocket.CloseProtocol, frame(fin|opPing, make([]byte, 126)), ""},
		{"close payload of one byte", websocket.CloseProtocol, frame(fin|opClose, []byte{3}), ""},
		{"close code 1005", websocket.CloseProtocol, closing(1005, ""), ""},
		{"close code 5000", websocket.CloseProtocol, closing(5000, ""), ""},
		{"close reason not UTF-8", websocket.CloseInvalidData, closing(1000, "\xff"), ""},
		{"text not UTF-8", websocket.CloseInvalidData, text("\xff"), ""},
		{"text ends inside a character", websocket.CloseInvalidData, text("\xe2\x82"), ""},
		{"text fails before its end", websocket.CloseInvalidData, frame(opText, []byte("\xf4\x90")), ""},
		{"text fails inside a frame", websocket.CloseInvalidData, append(header(opText, 100), "abc\xff"...), ""},
		{"opcode 3", websocket.CloseProtocol, frame(fin|3, nil), ""},
		{"opcode 11", websocket.CloseProtocol, frame(fin|11, nil), ""},
		{"RSV2", websocket.CloseProtocol, frame(fin|0x20|opText, nil), ""},
		{"RSV3", websocket.CloseProtocol, frame(fin|0x10|opText, nil), ""},
		{"RSV1 without compression", websocket.CloseProtocol, frame(fin|rsv1|opText, nil), ""},
		{"RSV1 on a continuation", websocket.CloseProtocol, slices.Concat(frame(rsv1|opText, nil), frame(fin|rsv1, nil)), deflate},
		{"RSV1 on a ping", websocket.CloseProtocol, frame(fin|rsv1|opPing, nil), deflate},
		{"lone continuation", websocket.CloseProtocol, frame(fin|opContinuation, nil), ""},
		{"message within a message", websocket.CloseProtocol, slices.Concat(frame(opText, nil), text("")), ""},
		{"deflate: invalid block", websocket.CloseInvalidData, frame(fin|rsv1|opBinary, []byte{0x07}), deflate},
		{"deflate: truncated", websocket.CloseInvalidData, frame(fin|rsv1|opBinary, []byte{0xf2, 0x48, 0xcd}), deflate},
		{"deflate: data behind the last block", websocket.CloseInvalidData,
			frame(fin|rsv1|opBinary, []byte{0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x06}), deflate},
		{"deflate: the tail was not taken off", websocket.CloseInvalidData,
			frame(fin|rsv1|opBinary, []byte{0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00, 0x00, 0xff, 0xff}), deflate},
		{"deflate: many last blocks", websocket.CloseInvalidData,
			frame(fin|rsv1|opBinary, bytes.Repeat([]byte{0x03, 0x00}, 1000)), deflate},
		{"deflate: text not UTF-8", websocket.CloseInvalidData, frame(fin|rsv1|opText, compress([]byte("\xff\xff"))), deflate},
		{"deflate: bomb", websocket.CloseTooBig, frame(fin|rsv1|opBinary, compress(make([]byte, 32<<20))), deflate},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			errs := make(chan error, 1)
			h := echo()
			h.Deflate = &websocket.Deflate{}
			h.OnError = func(_ *websocket.Conn, err error) { errs <- err }
			var lines []string
			if tt.offered != "" {
				lines = append(lines, tt.offered)
			}
			p := dial(t, serve(t, h), lines...)
			p.write(tt.send)
			reason := p.expectClose(tt.code)
			err, ok := within(t, errs, "OnError").(*websocket.Error)
			if !ok || err.Code != tt.code || err.Reason != reason || reason == "" {
				t.Errorf("OnError got %v; the peer was told %q", err, reason)
			}
		})
	}
}

// TestMessages: what must be understood, in every segmentation.
func TestMessages(t *testing.T) {
	long := strings.Repeat("0123456789", 30_000)
	hello := []byte{0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00}
	for _, tt := range []struct {
		name string
		send []byte
		want []string
	}{
		{"empty text", text(""), []string{""}},
		{"two in one segment", slices.Concat(text("one"), text("two")), []string{"one", "two"}},
		{"characters cut by fragments", slices.Concat(frame(opText, []byte("\xe2")), frame(0, nil), frame(0, []byte("\x82")), frame(fin, []byte("\xac!"))), []string{"€!"}},
		{"a pong between fragments", slices.Concat(frame(opText, []byte("on")), frame(fin|opPong, nil), frame(fin, []byte("e"))), []string{"one"}},
		{"126 bytes", text(long[:126]), []string{long[:126]}},
		{"65536 bytes", text(long[:65536]), []string{long[:65536]}},
		{"300,000 bytes", text(long), []string{long}},
		{"compressed", frame(fin|rsv1|opText, hello), []string{"Hello"}},
		{"compressed, fragmented", slices.Concat(frame(rsv1|opText, hello[:3]), frame(0, hello[3:5]), frame(fin, hello[5:])), []string{"Hello"}},
		{"compressed, ends with a last block", frame(fin|rsv1|opText, []byte{0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00}), []string{"Hello"}},
		{"compressed, ends with a last block and nothing else", frame(fin|rsv1|opText, []byte{0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00}), []string{"Hello"}},
		{"compressed, two blocks", frame(fin|rsv1|opText, []byte{0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00}), []string{"Hello"}},
		{"compressed, stored block", frame(fin|rsv1|opText, append([]byte{0, 5, 0, 0xfa, 0xff}, "Hello\x00"...)), []string{"Hello"}},
		{"compressed, empty", frame(fin|rsv1|opText, []byte{0}), []string{""}},
		{"compressed, no bytes at all", frame(fin|rsv1|opText, nil), []string{""}},
		{"uncompressed though negotiated", text("plain"), []string{"plain"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := echo()
			h.Deflate = &websocket.Deflate{MinSize: 1 << 20}
			addr := serve(t, h)
			for _, size := range []int{len(tt.send), 1, 7} {
				if size == 1 && len(tt.send) > 1<<17 {
					continue
				}
				p := dial(t, addr, "Sec-WebSocket-Extensions: permessage-deflate")
				for piece := range slices.Chunk(tt.send, size) {
					p.write(piece)
				}
				for _, want := range tt.want {
					p.expect(fin|opText, want)
				}
				p.alive()
			}
		})
	}
}

// TestFirstFrameWithHandshake: what comes in the segment of the handshake is
// not lost, nor what comes with its last byte when all come one by one.
func TestFirstFrameWithHandshake(t *testing.T) {
	addr := serve(t, echo())
	all := append([]byte(request()), text("early")...)
	t.Run("one segment", func(t *testing.T) {
		p := dialRaw(t, addr)
		p.write(all)
		p.upgraded()
		p.expect(fin|opText, "early")
	})
	t.Run("a byte at a time", func(t *testing.T) {
		p := dialRaw(t, addr)
		for i := range all {
			p.write(all[i : i+1])
		}
		p.upgraded()
		p.expect(fin|opText, "early")
	})
}

// TestOneByteFrames: a large message in the smallest of fragments costs time
// in proportion to its length, and the limit of fragments is kept.
func TestOneByteFrames(t *testing.T) {
	const size = 10 << 20
	var all []byte
	for i := range size {
		first := byte(opContinuation)
		if i == 0 {
			first = opBinary
		}
		if i == size-1 {
			first |= fin
		}
		all = append(all, first, 0x81, 0, 0, 0, 0, byte(i))
	}
	for _, tt := range []struct {
		name      string
		fragments int
		refused   bool
	}{{"allowed", -1, false}, {"not allowed", 0, true}} {
		t.Run(tt.name, func(t *testing.T) {
			h := echo()
			h.MaxMessage, h.MaxFragments = size, tt.fragments
			p := dial(t, serve(t, h))
			go p.write(all)
			if tt.refused {
				p.expectClose(websocket.ClosePolicy)
				return
			}
			f, err := p.next()
			if err != nil || len(f.payload) != size || f.payload[size-1] != 0xff {
				t.Fatalf("got %v, %v", f, err)
			}
		})
	}
}

// TestPingFlood: a flood of pings ends with a close, not with the worker.
func TestPingFlood(t *testing.T) {
	h := echo()
	h.MaxControlRate = 500
	addr := serve(t, h)
	good := dial(t, addr)
	p := dial(t, addr)
	go p.write(bytes.Repeat(frame(fin|opPing, nil), 20_000))
	pongs := 0
	for {
		f, err := p.next()
		if err != nil {
			t.Fatalf("%v after %d pongs", err, pongs)
		}
		if f.first == fin|opClose {
			if code := binary.BigEndian.Uint16(f.payload); code != uint16(websocket.ClosePolicy) || pongs < 500 {
				t.Errorf("closed with %d after %d pongs", code, pongs)
			}
			break
		}
		pongs++
	}
	good.alive()
}

// TestHalfClose: a peer that ends its side gets the answers that are due.
func TestHalfClose(t *testing.T) {
	codes := make(chan websocket.Code, 1)
	h := echo()
	h.OnClose = func(_ *websocket.Conn, code websocket.Code, _ string) { codes <- code }
	p := dial(t, serve(t, h))
	p.send(text("last words"))
	closeWrite(t, p)
	p.expect(fin|opText, "last words")
	p.expectEnd()
	if code := within(t, codes, "OnClose"); code != websocket.CloseAbnormal {
		t.Errorf("OnClose got %d, want %d", code, websocket.CloseAbnormal)
	}
}

func closeWrite(t *testing.T, p *peer) {
	t.Helper()
	if err := p.conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
}

// TestDataAfterClose: what a peer sends behind its Close frame is ignored.
func TestDataAfterClose(t *testing.T) {
	p := dial(t, serve(t, echo()))
	p.send(text("before"), closing(4000, "done"), text("after"), frame(fin|opPing, nil))
	p.expect(fin|opText, "before")
	p.expectClose(4000)
}

// TestNoReplyToClose: a peer that does not answer our Close frame is left
// after CloseTimeout; its messages meanwhile are not delivered.
func TestNoReplyToClose(t *testing.T) {
	messages, codes := make(chan string, 4), make(chan websocket.Code, 1)
	h := &websocket.Handler{
		CloseTimeout: 200 * time.Millisecond,
		OnMessage: func(c *websocket.Conn, m websocket.Message) {
			messages <- m.Text()
			c.Close(4001, "enough")
			if err := c.SendText("too late"); err != jay.ErrClosed {
				t.Errorf("Send after Close: %v, want jay.ErrClosed", err)
			}
		},
		OnClose: func(_ *websocket.Conn, code websocket.Code, reason string) {
			if reason != "enough" {
				t.Errorf("reason %q", reason)
			}
			codes <- code
		},
	}
	p := dial(t, serve(t, h))
	began := time.Now()
	p.send(text("one"), text("two"))
	p.expectClose(4001)
	if took := time.Since(began); took < 150*time.Millisecond {
		t.Errorf("the connection ended after %v, before CloseTimeout", took)
	}
	p.conn.Close()
	if code := within(t, codes, "OnClose"); code != 4001 || len(messages) != 1 {
		t.Errorf("OnClose got %d, %d messages were delivered; want 4001 and 1", code, len(messages))
	}
}
