package jay

import (
	"testing"
)

// FuzzProxyHeader: a header means the same however much has arrived of it and
// whatever follows, and what is wrong stays wrong.
func FuzzProxyHeader(f *testing.F) {
	f.Add([]byte("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\nrest"))
	f.Add([]byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x01\xdc\x04\x01\xbb"))
	f.Add([]byte("\r\n\r\n\x00\r\nQUIT\n\x21\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		client, n, err := parseProxyHeader(b)
		if n < 0 || n > len(b) || n > v2Head+maxProxyV2 || err != nil && n != 0 {
			t.Fatalf("%q: %d bytes of %d, %v", b, n, len(b), err)
		}
		for i := range b {
			c, m, e := parseProxyHeader(b[:i])
			switch {
			case e != nil && err == nil:
				t.Fatalf("%q: the first %d bytes are wrong (%v), all are not", b, i, e)
			case err == nil && n > 0 && i >= n && (m != n || c != client):
				t.Fatalf("%q: of %d bytes %d are a header of %v, of all %d of %v", b, i, m, c, n, client)
			case m != 0 && i < n:
				t.Fatalf("%q: a header of %d bytes in the first %d, and of %d in all", b, m, i, n)
			}
		}
	})
}
