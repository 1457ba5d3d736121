package web_test

import (
	"bufio"
	"io"
	"net/http"
	"testing"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/web"
)

// A response counts once against the budget, while it is written as when it is
// sent: most of the budget is there for it, and no more than that.
func TestResponseOfMostOfTheBudget(t *testing.T) {
	const budget, piece = 4 << 20, 1 << 10
	for name, c := range map[string]struct{ size, status int }{
		"an eighth":      {budget / 8, 200},
		"half":           {budget / 2, 200},
		"three quarters": {budget / 4 * 3, 200},
		"twice":          {budget * 2, 503},
	} {
		t.Run(name, func(t *testing.T) {
			addr := serveWith(t, &jay.Server{MaxBuffered: budget, Protocol: web.HandlerFunc(func(w *web.ResponseWriter, _ *web.Request) {
				for range c.size / piece {
					_, _ = w.Write(make([]byte, piece))
				}
			})})
			conn := dial(t, addr)
			_, _ = io.WriteString(conn, get)
			r, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			n, err := io.Copy(io.Discard, r.Body)
			if r.StatusCode != c.status || err != nil || c.status == 200 && n != int64(c.size) {
				t.Errorf("%d with %d bytes, %v; want %d", r.StatusCode, n, err, c.status)
			}
		})
	}
}
