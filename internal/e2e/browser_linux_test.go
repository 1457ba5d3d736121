package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jay-go/jay/internal/exampletest"
)

// TestBrowser shows a real browser the request that it sent.
func TestBrowser(t *testing.T) {
	t.Parallel()
	s := start(t, "jay")
	page := exampletest.Open(t, fmt.Sprintf("http://%s/path?q=%%3Cscript%%3E", s.addr))
	text := document(t, page)
	for _, want := range []string{"GET /path?q=%3Cscript%3E HTTP/1.1", "Host: " + s.addr, "User-Agent: Mozilla/5.0", "Accept-Encoding: gzip"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
	page.Visible("page")
}

// TestBrowserExecutesNothing: what somebody puts into a link or a form does
// not run as a script of this site.
func TestBrowserExecutesNothing(t *testing.T) {
	t.Parallel()
	s := start(t, "jay")
	file := filepath.Join(t.TempDir(), "attack.html")
	form := fmt.Sprintf(`<form id=f method=post enctype=text/plain action="http://%s/">`+
		`<input name="<script>document.documentElement.innerHTML='executed'</script>" value=x></form><script>f.submit()</script>`, s.addr)
	if err := os.WriteFile(file, []byte(form), 0o644); err != nil {
		t.Fatal(err)
	}
	page := exampletest.Open(t, "file://"+file)
	page.Eventually(fmt.Sprintf(`location.host === %q && document.readyState === "complete"`, s.addr))
	text := document(t, page)
	if !strings.Contains(text, "POST / HTTP/1.1") {
		t.Errorf("the browser is not at the reflected request:\n%s", text)
	}
	if strings.Contains(text, "<body>executed") || !strings.Contains(text, "<script>document") {
		t.Errorf("the script in the request was executed:\n%s", text)
	}
}

// document is a page as it is now, as HTML.
func document(t *testing.T, page *exampletest.Page) (text string) {
	t.Helper()
	if err := json.Unmarshal([]byte(page.Eval("document.documentElement.outerHTML")), &text); err != nil {
		t.Fatal(err)
	}
	return text
}
