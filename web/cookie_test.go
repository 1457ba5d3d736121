package web_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/http1"
	"github.com/jay-go/jay/web"
)

func TestCookieToSet(t *testing.T) {
	for want, c := range map[string]web.Cookie{
		"a=b; Path=/; HttpOnly; SameSite=Lax":           {Name: "a", Value: "b"},
		"a=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax": {Name: "a", MaxAge: -1},
		"a=b; Path=/x; Domain=b.test; Max-Age=60; Secure; SameSite=None": {Name: "a", Value: "b", Path: "/x", Domain: "b.test",
			MaxAge: time.Minute, Secure: true, Script: true, SameSite: web.SameSiteNone},
	} {
		if got, err := c.Append(nil); string(got) != want || err != nil {
			t.Errorf("got %s, %v; want %s", got, err, want)
		}
	}
	for want, c := range map[string]web.Cookie{
		"name":         {Name: "a b"},
		"is not a tok": {Name: ""},
		"the value":    {Name: "a", Value: "b\r\nSet-Cookie: c=d"},
		"semicolon":    {Name: "a", Value: "b; Domain=evil"},
		"path":         {Name: "a", Path: "/; Domain=evil"},
		"domain":       {Name: "a", Domain: "b; c"},
		"Secure":       {Name: "a", SameSite: web.SameSiteNone},
		"constants":    {Name: "a", SameSite: 9},
	} {
		if got, err := c.Append([]byte("x")); string(got) != "x" || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %q, %v; want an error with %q", c, got, err, want)
		}
	}
}

// FuzzCookie: a cookie that can be set belongs into a field, and comes back.
func FuzzCookie(f *testing.F) {
	f.Add("name", "value")
	f.Add("a", "")
	f.Fuzz(func(t *testing.T, name, value string) {
		c := web.Cookie{Name: name, Value: value}
		set, err := c.Append(nil)
		if err != nil {
			return
		}
		pair, _, _ := strings.Cut(string(set), ";")
		var h http1.Head
		n, err := h.Parse([]byte("GET / HTTP/1.1\r\nHost: a\r\nX: "+string(set)+"\r\nCookie: "+pair+"\r\n\r\n"), http1.Limits{Head: -1})
		if n == 0 || h.Header("X") != string(set) {
			t.Fatalf("%q does not belong into a field: %v", set, err)
		}
		if got, ok := h.Cookie(name); got != value || !ok {
			t.Fatalf("%q=%q came back as %q from %q", name, value, got, set)
		}
	})
}
