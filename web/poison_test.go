//go:build jaypoison

package web_test

import (
	"io"
	"testing"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/internal/poison"
	"github.com/jay-go/jay/web"
)

// keeper keeps views and copies of a request, and looks at them when its
// callback is over. Its fields belong to the loop.
type keeper struct {
	t      *testing.T
	views  map[string][]byte
	copies map[string][2]string
	w      *web.ResponseWriter
}

func (k *keeper) keep(r *web.Request) {
	k.views = map[string][]byte{
		"MethodView": r.MethodView(), "TargetView": r.TargetView(), "RawPathView": r.RawPathView(), "RawQueryView": r.RawQueryView(),
		"HeaderView": r.HeaderView("x"), "RawHeadView": r.RawHeadView(), "BodyView": r.BodyView(),
	}
	k.copies = map[string][2]string{
		"Method": {r.Method(), "PUT"}, "Target": {r.Target(), "/p%20q?a=b"}, "Path": {r.Path(), "/p q"}, "Host": {r.Host(), "a.test"},
		"Query": {r.Query("a"), "b"}, "Header": {r.Header("x"), "value"}, "Trailer": {r.Trailer("sum"), "42"},
		"Body": {string(r.Body()), "hello"},
	}
	for name, value := range r.Headers() {
		k.copies["Headers "+name] = [2]string{value, r.Header(name)}
	}
	k.copies["Cookie"] = [2]string{func() string { v, _ := r.Cookie("c"); return v }(), "d"}
}

func (k *keeper) check(when string) {
	for name, view := range k.views {
		if !poison.Filled(view) {
			k.t.Errorf("%s: %s shows %q", when, name, view)
		}
	}
	for name, c := range k.copies {
		if c[0] != c[1] {
			k.t.Errorf("%s: the copy of %s is %q, want %q", when, name, c[0], c[1])
		}
	}
	if k.w != nil {
		if _, err := k.w.WriteString("into another response"); err == nil {
			k.t.Errorf("%s: a response that is over can be written to", when)
		}
	}
	k.views, k.copies, k.w = nil, nil, nil
}

// Views show nothing once their callback is over, copies are what they were,
// and what was given out by a Later is valid until Finish.
func TestViewsOutsideTheirCallback(t *testing.T) {
	for _, mode := range []string{"handler", "later", "OnHead", "OnBody", "pipelined"} {
		t.Run(mode, func(t *testing.T) {
			k := &keeper{t: t}
			p := &web.Protocol{Handler: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
				switch mode {
				case "later":
					k.check(mode)
					l := w.Later()
					k.keep(r)
					views := k.views
					k.views, k.copies = nil, nil
					r.Conn().Loop().AfterFunc(0, func() {
						for name, view := range views {
							if len(view) == 0 || poison.Filled(view) {
								t.Errorf("%s shows %q before Finish", name, view)
							}
						}
						_ = l.Finish()
						k.views = views
					})
					k.w = w
				case "handler", "pipelined":
					k.check(mode)
					k.keep(r)
					k.w = w
				}
			})}
			p.OnHead = func(w *web.ResponseWriter, r *web.Request) bool {
				switch mode {
				case "OnHead":
					k.check(mode)
					k.views = map[string][]byte{"HeaderView": r.HeaderView("x")}
				case "OnBody":
					r.OnBody(func(w *web.ResponseWriter, r *web.Request, b []byte) error {
						k.check(mode)
						k.views = map[string][]byte{"a piece": b}
						return nil
					})
				}
				return true
			}
			addr := serveWith(t, &jay.Server{Protocol: p})
			c := dial(t, addr)
			head := "PUT /p%20q?a=b HTTP/1.1\r\nHost: a.test\r\nX: value\r\nCookie: c=d\r\nTransfer-Encoding: chunked\r\n\r\n"
			body := "2\r\nhe\r\n3\r\nllo\r\n0\r\nSum: 42\r\n\r\n"
			ok := "HTTP/1.1 200 OK|Content-Length: 0|Date: D||"
			for range 3 {
				if mode == "pipelined" {
					_, _ = io.WriteString(c, head+body+head+body+head+body)
					until(t, c, ok+ok+ok)
					continue
				}
				_, _ = io.WriteString(c, head)
				_, _ = io.WriteString(c, body[:4])
				_, _ = io.WriteString(c, body[4:])
				until(t, c, ok)
			}
		})
	}
}
