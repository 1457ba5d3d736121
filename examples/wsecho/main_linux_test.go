package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/jay-go/jay/internal/exampletest"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

// client is what the page has: a WebSocket that tells everything by promises.
const client = `
function open(url, protocols) {
	const ws = new WebSocket(url, protocols), arrived = [], wanted = [];
	ws.binaryType = "arraybuffer";
	ws.onmessage = e => wanted.length ? wanted.shift()(e.data) : arrived.push(e.data);
	const closed = new Promise(resolve => ws.onclose = e => resolve([e.code, e.reason, e.wasClean].join(" ")));
	const opened = new Promise(resolve => ws.onopen = () => resolve("open"));
	return {
		ws, closed,
		state: Promise.race([opened, closed]),
		next: () => arrived.length ? Promise.resolve(arrived.shift()) : new Promise(resolve => wanted.push(resolve)),
	};
}
async function echo(c, data) {
	c.ws.send(data);
	const got = await Promise.race([c.next(), c.closed.then(why => "closed: " + why)]);
	if (typeof data === "string") return got === data ? "same" : String(got).slice(0, 80);
	if (!(got instanceof ArrayBuffer) || got.byteLength !== data.byteLength) return String(got).slice(0, 80);
	const a = new Uint8Array(got), b = new Uint8Array(data);
	return a.every((x, i) => x === b[i]) ? "same" : "other bytes";
}
function noise(n) {
	const b = new Uint8Array(n);
	for (let at = 0; at < n; at += 65536) crypto.getRandomValues(b.subarray(at, Math.min(at + 65536, n)));
	return b.buffer;
}`

// openPage opens a page of another origin, from which url is to be reached.
func openPage(t *testing.T) (page *exampletest.Page, origin string) {
	t.Helper()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<body>wsecho<script>%s</script>", client)
	}))
	t.Cleanup(site.Close)
	page = exampletest.Open(t, site.URL)
	return page, site.URL
}

// TestBrowser: messages of all kinds come back to a real browser, compressed,
// and it sees the close codes.
func TestBrowser(t *testing.T) {
	page, origin := openPage(t)
	s := exampletest.Start(t, "--workers", "1", "--origin", origin)
	url := "ws://" + s.Addr("wsecho") + "/ws"
	expect := func(script, want string) {
		t.Helper()
		if got := page.Eval(script); got != want {
			t.Errorf("%s\nis %s, want %s", script, got, want)
		}
	}
	expect(fmt.Sprintf("window.c = open(%q); c.state", url), `"open"`)
	expect("c.ws.extensions", `"permessage-deflate; server_no_context_takeover; client_no_context_takeover"`)
	for _, message := range []string{
		`""`, `"plain"`, `"Grüße, €, 😀, \0"`, `"x".repeat(255)`, `"x".repeat(256)`, `"x€".repeat(1 << 18)`, // the last is 1 MiB of UTF-8
		`new ArrayBuffer(0)`, `noise(125)`, `noise(126)`, `noise(65536)`, `noise(1 << 20)`, `new ArrayBuffer(1 << 20)`,
	} {
		expect(fmt.Sprintf("echo(c, %s)", message), `"same"`)
	}
	expect(`Promise.all(Array.from({length: 100}, (_, i) => (c.ws.send("n" + i), c.next()))).then(all => all.every((m, i) => m === "n" + i))`, "true")
	expect(fmt.Sprintf("window.zeros = open(%q); zeros.state.then(() => echo(zeros, new ArrayBuffer(1 << 20)))", url), `"same"`)
	if !compressed(t, s, 1<<20) {
		t.Error("1 MiB of zeros was not compressed on both ways")
	}
	expect(`c.ws.close(); c.closed`, `"1005  true"`)
	for _, code := range []string{"1000", "3000", "4999"} {
		expect(fmt.Sprintf("(async () => { const c = open(%q); await c.state; c.ws.close(%s, 'bye €'); return c.closed; })()", url, code),
			fmt.Sprintf(`"%s  true"`, code))
	}
	expect(fmt.Sprintf("(async () => { const c = open(%q); await c.state; c.ws.send(new ArrayBuffer((32 << 20) + 1)); return (await c.closed).slice(0, 4); })()", url), `"1009"`)
	expect(fmt.Sprintf("window.last = open(%q); last.state", url), `"open"`)
	s.Command("stop")
	expect("last.closed", `"1001  true"`)
}

// TestBrowserFromElsewhere: a page whose origin is not allowed is refused.
func TestBrowserFromElsewhere(t *testing.T) {
	page, _ := openPage(t)
	s := exampletest.Start(t, "--workers", "1")
	if got := page.Eval(fmt.Sprintf("open(%q).state", "ws://"+s.Addr("wsecho")+"/")); got != `"1006  false"` {
		t.Errorf("a page of another origin: %s", got)
	}
}

// compressed reports whether a connection has sent and received less than a
// tenth of size.
func compressed(t *testing.T, s *exampletest.Service, size int) bool {
	t.Helper()
	out, code := s.Command("connections", "--json")
	var page struct {
		Connections []struct {
			In  int `json:"bytes_in"`
			Out int `json:"bytes_out"`
		}
	}
	if err := json.Unmarshal([]byte(out), &page); err != nil || code != 0 {
		t.Fatalf("connections --json: exit %d, %v in %s", code, err, out)
	}
	for _, c := range page.Connections {
		if c.In > 0 && c.In < size/10 && c.Out < size/10 {
			return true
		}
	}
	return false
}
