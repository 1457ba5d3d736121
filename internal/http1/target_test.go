package http1

import "testing"

func TestPathIsDecodedOnceAndResolved(t *testing.T) {
	for raw, want := range map[string]string{
		"":                        "/",
		"*":                       "*",
		"/":                       "/",
		"/a/b/../c":               "/a/c",
		"/a/./b":                  "/a/b",
		"/a/.":                    "/a/",
		"/a/..":                   "/",
		"/..":                     "/",
		"/../../etc/passwd":       "/etc/passwd",
		"/%2e%2e/%2E%2E/etc":      "/etc",
		"/a/%2e%2e%2f%2e%2e/b":    "/b",
		"/a%2f..%2fb":             "/b",
		"/.a/..b/.../c.":          "/.a/..b/.../c.",
		"//a.test/x":              "//a.test/x",
		"/a//../b":                "/a/b",
		"/%252e%252e/a":           "/%2e%2e/a",
		"/a%20b%C3%A9":            "/a bé",
		"/a%0d%0aX-Injected:%201": "/a\r\nX-Injected: 1",
		"/a\\..\\b":               "/a\\..\\b",
		"/mid/content=5/../6":     "/mid/6",
		"/a/b/c/./../../g":        "/a/g",
	} {
		if got := string(appendPath([]byte("x"), []byte(raw))); got != "x"+want {
			t.Errorf("%q: got %q, want %q", raw, got[1:], want)
		}
		if isPlainPath([]byte(raw)) && raw != want {
			t.Errorf("%q is taken for plain", raw)
		}
	}
}

func TestQueryAndForms(t *testing.T) {
	got := ""
	for k, v := range ParseQuery([]byte("a=1&&b&=c&%61=+%2B%&d=e=f&%zz=%4")) {
		got += k + "→" + v + "|"
	}
	if want := "a→1|b→|→c|a→ +%|d→e=f|%zz→%4|"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for range ParseQuery([]byte("a&b")) {
		break // must not go on after the loop has ended
	}
}

func TestUnescapedEqual(t *testing.T) {
	for raw, want := range map[string]string{"a+b": "a b", "%41": "A", "": "", "%": "%", "a%2": "a%2"} {
		if !unescapedEqual([]byte(raw), want) || unescapedEqual([]byte(raw), want+"x") || unescapedEqual([]byte(raw+"x"), want) {
			t.Errorf("%q does not equal %q alone", raw, want)
		}
	}
}
