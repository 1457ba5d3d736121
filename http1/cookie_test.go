package http1

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestCookiesSent(t *testing.T) {
	raw := "GET / HTTP/1.1\r\nHost: a\r\nCookie: a=1; b=\"two\" ;c=;d; =e; f g=h;a=2\r\ncookie: k=v=w;l={\"x\":1}\r\n\r\n"
	h := new(Head)
	if n, err := h.Parse([]byte(raw), Limits{}); n == 0 {
		t.Fatal(err)
	}
	got := ""
	for k, v := range h.Cookies() {
		got += fmt.Sprintf("%s→%s|", k, v)
	}
	if want := `a→1|b→two|c→|a→2|k→v=w|l→{"x":1}|`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for name, want := range map[string]string{"a": "1", "b": "two", "k": "v=w"} {
		if v, ok := h.Cookie(name); v != want || !ok {
			t.Errorf("cookie %s: %q %v", name, v, ok)
		}
	}
	if v, ok := h.Cookie("A"); v != "" || ok {
		t.Error("cookie names are case-sensitive")
	}
}

func TestCookieToSet(t *testing.T) {
	for want, c := range map[string]Cookie{
		"a=b; Path=/; HttpOnly; SameSite=Lax":           {Name: "a", Value: "b"},
		"a=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax": {Name: "a", MaxAge: -1},
		"a=b; Path=/x; Domain=b.test; Max-Age=60; Secure; SameSite=None": {Name: "a", Value: "b", Path: "/x", Domain: "b.test",
			MaxAge: time.Minute, Secure: true, Script: true, SameSite: SameSiteNone},
	} {
		if got, err := c.Append(nil); string(got) != want || err != nil {
			t.Errorf("got %s, %v; want %s", got, err, want)
		}
	}
	for want, c := range map[string]Cookie{
		"name":         {Name: "a b"},
		"is not a tok": {Name: ""},
		"the value":    {Name: "a", Value: "b\r\nSet-Cookie: c=d"},
		"semicolon":    {Name: "a", Value: "b; Domain=evil"},
		"path":         {Name: "a", Path: "/; Domain=evil"},
		"domain":       {Name: "a", Domain: "b; c"},
		"Secure":       {Name: "a", SameSite: SameSiteNone},
		"constants":    {Name: "a", SameSite: 9},
	} {
		if got, err := c.Append([]byte("x")); string(got) != "x" || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %q, %v; want an error with %q", c, got, err, want)
		}
	}
}
