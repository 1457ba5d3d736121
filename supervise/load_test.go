//go:build linux

package supervise_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/reset"
)

// load is clients that hold a server to HTTP: on a connection kept alive, every
// request has to be answered unless the answer before said "Connection: close".
type load struct {
	t      *testing.T
	addr   string
	stop   chan struct{}
	wg     sync.WaitGroup
	mu     sync.Mutex
	done   int            // guarded by mu
	failed map[string]int // guarded by mu; by what went wrong
	pids   map[string]int // guarded by mu; answers by generation
}

// startLoad begins with keep clients on kept connections, which send every
// interval, and fresh ones that connect for each request.
func startLoad(t *testing.T, addr string, keep int, interval time.Duration, fresh int) *load {
	l := &load{t: t, addr: addr, stop: make(chan struct{}), failed: map[string]int{}, pids: map[string]int{}}
	for range keep {
		l.wg.Go(func() { l.kept(interval) })
	}
	for range fresh {
		l.wg.Go(l.fresh)
	}
	return l
}

// end stops the clients and gives the number of answers and of failures.
func (l *load) end() (done int, failed map[string]int) {
	close(l.stop)
	l.wg.Wait()
	return l.done, l.failed
}

func (l *load) stopped(pause time.Duration) bool {
	select {
	case <-l.stop:
		return true
	case <-time.After(pause):
		return false
	}
}

func (l *load) note(err error, what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.done++
		return
	}
	l.failed[fmt.Sprintf("%s: %v", what, err)]++
}

func (l *load) kept(interval time.Duration) {
	for !l.stopped(0) {
		c, err := reset.Dial("tcp", l.addr, patience)
		if err != nil {
			l.note(err, "connect")
			continue
		}
		l.converse(c, interval)
		c.Close()
	}
}

// converse uses a connection until the server says that it will close it.
func (l *load) converse(c net.Conn, interval time.Duration) {
	r := bufio.NewReader(c)
	for {
		closing, err := exchange(c, r, "")
		l.note(err, "kept connection")
		if err != nil || closing || l.stopped(interval) {
			return
		}
	}
}

func (l *load) fresh() {
	for !l.stopped(6 * time.Millisecond) { // connections are what the processor's time goes to
		c, err := reset.Dial("tcp", l.addr, patience)
		if err == nil {
			_, err = exchange(c, bufio.NewReader(c), "Connection: close\r\n")
			c.Close()
		}
		l.note(err, "fresh connection")
	}
}

func exchange(c net.Conn, r *bufio.Reader, header string) (closing bool, err error) {
	c.SetDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n", header); err != nil {
		return false, err
	}
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return false, err
	}
	if resp.StatusCode != http.StatusOK {
		return false, fmt.Errorf("status %s", resp.Status)
	}
	return resp.Close, nil
}
