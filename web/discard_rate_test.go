package web_test

import (
	"bufio"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/jay-go/jay/web"
)

// A client that sends fast enough keeps its connection, also where what it sends
// is passed over.
func TestBodyRateOfWhatIsPassedOver(t *testing.T) {
	t.Parallel()
	const size, rate = 12 << 10, 256
	p := &web.Protocol{MinBodyRate: rate,
		OnHead:  func(w *web.ResponseWriter, r *web.Request) bool { return r.Path() != "/no" },
		Handler: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) { w.WriteString("ok") })}
	conn := dial(t, serve(t, p))
	in := bufio.NewReader(conn)
	_, _ = io.WriteString(conn, "POST /no HTTP/1.1\r\nHost: a\r\nContent-Length: 12288\r\n\r\n")
	if r, err := http.ReadResponse(in, nil); err != nil || r.Close {
		t.Fatalf("%v, %v", r, err)
	}
	for range 12 {
		time.Sleep(600 * time.Millisecond)
		_, _ = conn.Write(make([]byte, size/12))
	}
	_, _ = io.WriteString(conn, get)
	if r, err := http.ReadResponse(in, nil); err != nil || r.StatusCode != 200 {
		t.Errorf("the next request: %v, %v", r, err)
	}
}
