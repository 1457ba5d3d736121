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
