package http1

import (
	"fmt"
	"testing"
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
