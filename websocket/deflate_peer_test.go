package websocket_test

import (
	"bytes"
	"compress/flate"
	"io"
)

// compress is what a client without takeover sends for p; it uses the standard
// library, which the package does not.
func compress(p []byte) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, 6)
	must(err)
	_, err = w.Write(p)
	must(err)
	must(w.Flush())
	return bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xff, 0xff})
}

// inflate reads what a server without takeover sends.
func inflate(p []byte) ([]byte, error) {
	r := flate.NewReader(io.MultiReader(bytes.NewReader(p), bytes.NewReader([]byte("\x00\x00\xff\xff\x01\x00\x00\xff\xff"))))
	return io.ReadAll(r)
}

// takeoverClient is a client that keeps its windows between messages.
type takeoverClient struct {
	out bytes.Buffer
	w   *flate.Writer
	in  bytes.Buffer
	r   io.Reader
}

func newTakeoverClient() *takeoverClient {
	c := &takeoverClient{}
	var err error
	c.w, err = flate.NewWriter(&c.out, 6)
	must(err)
	c.r = flate.NewReader(&c.in)
	return c
}

func (c *takeoverClient) compress(p []byte) []byte {
	c.out.Reset()
	_, err := c.w.Write(p)
	must(err)
	must(c.w.Flush())
	return bytes.TrimSuffix(c.out.Bytes(), []byte{0, 0, 0xff, 0xff})
}

func (c *takeoverClient) inflate(p []byte, n int) []byte {
	c.in.Write(p)
	c.in.WriteString("\x00\x00\xff\xff")
	got := make([]byte, n)
	_, err := io.ReadFull(c.r, got)
	must(err)
	return got
}
