package web_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/internal/reset"
	"github.com/jay-go/jay/web"
)

// TestBudget: who asks for more than the worker's budget has is answered 503
// and told to come back, wherever it collects; OnError gets the reason.
func TestBudget(t *testing.T) {
	const budget, each = 1 << 20, 3 << 20
	long := strings.Repeat("x", each)
	block := []byte(strings.Repeat("x", 64<<10))
	fill := func(w *web.ResponseWriter) {
		for range each / len(block) {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}
	p := &web.Protocol{MaxHeader: each, Handler: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
		switch r.Path() {
		case "/now":
			fill(w)
		case "/ignored":
			fill(w)
			_, _ = w.WriteString("it goes on")
		default:
			_, _ = w.WriteString("ok")
		}
	})}
	for name, request := range map[string]string{
		"body":             fmt.Sprintf("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", each, long),
		"chunks":           fmt.Sprintf("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", each, long),
		"response":         "GET /now HTTP/1.1\r\nHost: a\r\n\r\n",
		"an ignored error": "GET /ignored HTTP/1.1\r\nHost: a\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			errs := make(chan error, 10)
			addr := serveWith(t, &jay.Server{Protocol: p, MaxBuffered: budget, OnError: func(_ *jay.Conn, err error) { errs <- err }})
			c := dial(t, addr)
			go func() { _, _ = io.WriteString(c, request) }()
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || !resp.Close {
				t.Errorf("got %s, %v", resp.Status, resp.Header)
			}
			if err := <-errs; !errors.Is(err, jay.ErrBudget) {
				t.Errorf("OnError got %v, want ErrBudget", err)
			}
		})
	}
}

// TestBudgetOfOneAfterTheOther: what has been used does not count: uploads that
// fit the budget one by one are all served.
func TestBudgetOfOneAfterTheOther(t *testing.T) {
	const each = 3 << 20
	addr := serveWith(t, &jay.Server{Loops: 1, MaxBuffered: 10 << 20, Protocol: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
		_, _ = fmt.Fprint(w, len(r.BodyView()))
	})})
	body := strings.Repeat("x", each)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for i := range 40 {
		resp, err := client.Post("http://"+addr+"/", "text/plain", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(got) != fmt.Sprint(each) {
			t.Fatalf("upload %d: %s, %q", i, resp.Status, got)
		}
	}
}

// TestBudgetIsOneFault: clients that a budget has no room for do not fill the log, and
// nothing of it is called the program's fault.
func TestBudgetIsOneFault(t *testing.T) {
	const clients, each = 20, 2 << 20
	for name, request := range map[string]string{
		"body":     fmt.Sprintf("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", each, strings.Repeat("x", each)),
		"response": "GET /now HTTP/1.1\r\nHost: a\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			log, began := captureLog(t), time.Now()
			addr, stop := start(t, &jay.Server{Loops: 1, MaxBuffered: 1 << 20, Protocol: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
				_, _ = w.Write(make([]byte, each))
			})})
			for range clients {
				c := dial(t, addr)
				go func() { _, _ = io.WriteString(c, request) }()
				if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || resp.StatusCode != 503 {
					t.Errorf("got %v, %v", resp, err)
				}
				_ = reset.Close(c)
			}
			stop()
			got := log.String()
			if lines := strings.Count(got, "level=ERROR"); lines > 2*(1+int(time.Since(began)/(10*time.Second))) || strings.Contains(got, "program") || !strings.Contains(got, "fault=system") {
				t.Errorf("the log has %d lines: %.500q", lines, got)
			}
			if !strings.Contains(got, " count=") {
				t.Errorf("the log does not say how many there were: %.500q", got)
			}
		})
	}
}
