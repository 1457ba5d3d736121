package http1

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jay-go/jay/internal/http1test"
)

const hostLine = "Host: a.test\r\n"

func TestHeadRefuses(t *testing.T) {
	get := "GET / HTTP/1.1\r\n" + hostLine
	for name, c := range map[string]struct {
		raw  string
		want *Error
	}{
		"no version":                {"GET /\r\n", errNoVersion},
		"two spaces":                {"GET  / HTTP/1.1\r\n", errTarget},
		"space first":               {" GET / HTTP/1.1\r\n", errMethod},
		"lower-case version":        {"GET / http/1.1\r\n", errVersion},
		"HTTP/2.0":                  {"GET / HTTP/2.0\r\n", errUnsupported},
		"version without CR":        {"GET / HTTP/1.1\n", errVersion},
		"version, CR without LF":    {"GET / HTTP/1.1\r\r", errBareCR},
		"fragment":                  {"GET /a#b ", errTarget},
		"DEL in target":             {"GET /\x7f", errTarget},
		"percent, one digit":        {"GET /%4 HTTP/1.1\r\n", errPercent},
		"percent, no hex":           {"GET /%4x HTTP/1.1\r\n", errPercent},
		"percent NUL":               {"GET /a%00 HTTP/1.1\r\n", errNUL},
		"user information":          {"GET http://u@a.test/ HTTP/1.1\r\n", errAuthority},
		"other scheme":              {"GET ftp://a.test/ HTTP/1.1\r\n", errForm},
		"scheme without authority":  {"GET http:/a HTTP/1.1\r\n", errForm},
		"CONNECT without port":      {"CONNECT a.test HTTP/1.1\r\n", errForm},
		"CONNECT with empty port":   {"CONNECT a.test: HTTP/1.1\r\n", errForm},
		"CONNECT with a path":       {"CONNECT /a:1 HTTP/1.1\r\n", errForm},
		"five empty lines":          {"\r\n\r\n\r\n\r\n\r\n", errEmptyLines},
		"LF first":                  {"\nGET", errBareLF},
		"CR first":                  {"\rG", errBareCR},
		"TLS":                       {"\x16\x03\x01", errMethod},
		"SSH":                       {"SSH-2.0-OpenSSH_9.2\r", errMethod},
		"LF ends a field":           {get + "X: y\n", errBareLF},
		"LF ends the section":       {get + "\n", errBareLF},
		"CR ends a field":           {get + "X: y\rZ", errBareCR},
		"CR ends the section":       {get + "\rZ", errBareCR},
		"NUL in value":              {get + "X: y\x00", errValue},
		"DEL in value":              {get + "X: 0123456789\x7f", errValue},
		"space before colon":        {get + "X :", errName},
		"no colon":                  {get + "X\r", errName},
		"folded":                    {get + "X: y\r\n z", errFold},
		"folded first":              {"GET / HTTP/1.1\r\n\tX: y", errFold},
		"no name":                   {get + ":", errNoName},
		"no Host":                   {"GET / HTTP/1.1\r\n\r\n", errHostMissing},
		"CONNECT without Host":      {"CONNECT a.test:1 HTTP/1.1\r\n\r\n", errHostMissing},
		"two Hosts":                 {get + "hOST: a.test\r\n\r\n", errHostTwice},
		"two Hosts in HTTP/1.0":     {"GET / HTTP/1.0\r\n" + hostLine + hostLine + "\r\n", errHostTwice},
		"Host with user":            {"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", errHost},
		"Host joined":               {"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", errHost},
		"Host with huge port":       {"GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", errHost},
		"Host with a colon alone":   {"GET / HTTP/1.1\r\nHost: :80\r\n\r\n", errHost},
		"Host without bracket":      {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", errHost},
		"Host with IPv4 bracketed":  {"GET / HTTP/1.1\r\nHost: [1.2.3.4]\r\n\r\n", errHost},
		"Host with raw zone":        {"GET / HTTP/1.1\r\nHost: [fe80::1%en0]\r\n\r\n", errHost},
		"Host after bracket":        {"GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", errHost},
		"empty Host":                {"GET / HTTP/1.1\r\nHost:\r\n\r\n", errHost},
		"two equal lengths":         {get + "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", errLengthTwice},
		"length list":               {get + "Content-Length: 5, 5\r\n\r\n", errLength},
		"length with plus":          {get + "Content-Length: +5\r\n\r\n", errLength},
		"both framings":             {get + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", errBothFramings},
		"two codings":               {get + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", errCodingTwice},
		"empty coding":              {get + "Transfer-Encoding:\r\n\r\n", errCoding},
		"coding with empty member":  {get + "Transfer-Encoding: chunked,\r\n\r\n", errCoding},
		"coding after empty member": {get + "Transfer-Encoding: ,chunked\r\n\r\n", errCoding},
		"coding before chunked":     {get + "Transfer-Encoding: gzip, chunked\r\n\r\n", errCodingOther},
		"coding with parameter":     {get + "Transfer-Encoding: chunked;q=1\r\n\r\n", errCoding},
		"coding in HTTP/1.0":        {"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", errCoding10},
		"other expectation":         {get + "Expect: 100-continue, x\r\n\r\n", errExpect},
	} {
		t.Run(name, func(t *testing.T) {
			for _, cut := range everyCut([]byte(c.raw)) {
				h := new(Head)
				if n, err := parseCut(h, []byte(c.raw), cut, Limits{}); err != error(c.want) {
					t.Fatalf("cut at %d: got %d, %v; want %v", cut, n, err, c.want)
				}
			}
		})
	}
}

// everyCut returns all offsets at which b can be cut in two, and -1, which
// stands for a byte at a time.
func everyCut(b []byte) (cuts []int) {
	for i := -1; i < len(b); i++ {
		cuts = append(cuts, i)
	}
	return cuts
}

// parseCut gives h the bytes in two pieces, or byte by byte for -1, and
// returns the first answer that is not "more".
func parseCut(h *Head, b []byte, cut int, limits Limits) (n int, err error) {
	if cut >= 0 {
		if n, err = h.Parse(b[:cut:cut], limits); n == 0 && err == nil {
			n, err = h.Parse(b, limits)
		}
		return n, err
	}
	for i := 1; i <= len(b) && n == 0 && err == nil; i++ {
		n, err = h.Parse(append([]byte(nil), b[:i]...), limits)
	}
	return n, err
}

// describe says everything that a Head tells.
func describe(h *Head, n int, err error) string {
	if err != nil || n == 0 {
		return fmt.Sprint(n, err)
	}
	out := fmt.Sprintf("%d %s %q %d path=%q raw=%q query=%q host=%q 1.0=%v length=%d keep=%v upgrade=%q expect=%v\n",
		n, h.Method(), h.Target(), h.Form(), h.Path(), h.RawPath(), h.RawQuery(), h.Host(), h.HTTP10(),
		h.ContentLength(), h.KeepAlive(), h.Upgrade(), h.flags&flagContinue != 0)
	for name, value := range h.Headers() {
		out += fmt.Sprintf("%q=%q\n", name, value)
	}
	return out
}

func TestHeadAccepts(t *testing.T) {
	for name, c := range map[string]struct {
		raw   string
		check func(h *Head) bool
	}{
		"smallest": {"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", func(h *Head) bool {
			return h.Method() == "GET" && h.Path() == "/" && h.Host() == "a.test" && h.KeepAlive() && h.ContentLength() == 0
		}},
		"empty lines before": {"\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", func(h *Head) bool {
			return h.Path() == "/x" && string(h.RawHead()) == "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
		}},
		"later minor version": {"GET / HTTP/1.9\r\nHost: a\r\n\r\n", func(h *Head) bool {
			return !h.HTTP10() && h.KeepAlive()
		}},
		"HTTP/1.0 without Host": {"GET / HTTP/1.0\r\n\r\n", func(h *Head) bool {
			return h.HTTP10() && !h.KeepAlive() && h.Host() == ""
		}},
		"HTTP/1.0 keep-alive": {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", (*Head).KeepAlive},
		"close wins": {"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, close\r\n\r\n", func(h *Head) bool {
			return !h.KeepAlive()
		}},
		"white space around values": {"GET / HTTP/1.1\r\nHost:\t a \t\r\nX: \r\nY:\ta\tb\t\r\n\r\n", func(h *Head) bool {
			return h.Host() == "a" && h.Header("x") == "" && h.Header("y") == "a\tb"
		}},
		"several values": {"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nx: 2\r\nAccept: b\r\nAccept: c\r\n\r\n", func(h *Head) bool {
			return fmt.Sprint(h.HeaderValues("X"), h.HeaderValues("ACCEPT"), h.HeaderValues("y")) == "[1 2] [b c] []"
		}},
		"query": {"GET /p?a=1&b=%20+x&&c HTTP/1.1\r\nHost: a\r\n\r\n", func(h *Head) bool {
			return h.RawPath() == "/p" && h.RawQuery() == "a=1&b=%20+x&&c" && h.Query("a") == "1" && h.Query("b") == "  x" && h.Query("d") == ""
		}},
		"broken percent in query": {"GET /?a=100% HTTP/1.1\r\nHost: a\r\n\r\n", func(h *Head) bool {
			return h.Query("a") == "100%"
		}},
		"second question mark": {"GET /?a?b HTTP/1.1\r\nHost: a\r\n\r\n", func(h *Head) bool { return h.RawQuery() == "a?b" }},
		"raw bytes that browsers send": {"GET /a|b^c[d]?{\"x\":`1`} HTTP/1.1\r\nHost: a\r\n\r\n", func(h *Head) bool {
			return h.Path() == "/a|b^c[d]"
		}},
		"absolute": {"GET HTTP://b.test:8080?x HTTP/1.1\r\nHost: a\r\n\r\n", func(h *Head) bool {
			return h.Form() == AbsoluteForm && h.Host() == "b.test:8080" && h.Path() == "/" && h.RawQuery() == "x"
		}},
		"CONNECT": {"CONNECT [::1]:443 HTTP/1.1\r\nHost: a\r\n\r\n", func(h *Head) bool {
			return h.Form() == AuthorityForm && h.Host() == "[::1]:443" && h.Path() == ""
		}},
		"OPTIONS *": {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", func(h *Head) bool {
			return h.Form() == AsteriskForm && h.Path() == "*"
		}},
		"zone":          {"GET / HTTP/1.1\r\nHost: [fe80::1%25en0]:80\r\n\r\n", func(h *Head) bool { return h.Host() == "[fe80::1%25en0]:80" }},
		"empty port":    {"GET / HTTP/1.1\r\nHost: a:\r\n\r\n", func(h *Head) bool { return h.Host() == "a:" }},
		"huge length":   {"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n", func(h *Head) bool { return h.ContentLength() == lengthTooLarge }},
		"Expect":        {"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-CONTINUE\r\nContent-Length: 1\r\n\r\n", func(h *Head) bool { return h.flags&flagContinue != 0 }},
		"Expect in 1.0": {"PUT / HTTP/1.0\r\nHost: a\r\nExpect: x\r\n\r\n", func(h *Head) bool { return h.flags&flagContinue == 0 }},
		"upgrade": {"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Upgrade\r\nUpgrade: websocket\r\n\r\n", func(h *Head) bool {
			return h.Upgrade() == "websocket"
		}},
		"upgrade in two fields": {"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n\r\n", func(h *Head) bool {
			return h.Upgrade() == "h2c, websocket"
		}},
		"upgrade not named": {"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", func(h *Head) bool { return h.Upgrade() == "" }},
		"content type":      {"GET / HTTP/1.1\r\nHost: a\r\nContent-Type: Text/HTML ; charset=x\r\n\r\n", func(h *Head) bool { return h.ContentType() == "text/html" }},
	} {
		t.Run(name, func(t *testing.T) {
			raw := []byte(c.raw)
			h := new(Head)
			n, err := h.Parse(raw, Limits{})
			if n != len(raw) || err != nil || !c.check(h) {
				t.Fatalf("got %s", describe(h, n, err))
			}
			want := describe(h, n, err)
			for _, cut := range everyCut(raw) {
				h.Reset()
				n, err := parseCut(h, raw, cut, Limits{})
				if got := describe(h, n, err); got != want {
					t.Fatalf("cut at %d:\n%s\nwhole:\n%s", cut, got, want)
				}
			}
		})
	}
}

func TestHeadLimits(t *testing.T) {
	line, fields := "GET / HTTP/1.1\r\n", hostLine
	whole := len(line) + len(fields) + 2
	for name, c := range map[string]struct {
		raw    string
		limits Limits
		status int // 0: accepted
	}{
		"exactly the limit":        {line + fields + "\r\n", Limits{Head: whole}, 0},
		"one byte less":            {line + fields + "\r\n", Limits{Head: whole - 1}, 431},
		"target":                   {"GET /" + strings.Repeat("a", 100), Limits{Head: 50}, 414},
		"method":                   {strings.Repeat("A", 50), Limits{Head: 50}, 501},
		"method, exactly":          {strings.Repeat("A", maxMethod) + " / HTTP/1.1\r\n" + fields + "\r\n", Limits{}, 0},
		"method, one byte more":    {strings.Repeat("A", maxMethod+1) + " ", Limits{}, 501},
		"method without end":       {strings.Repeat("A", 100_000), Limits{}, 501},
		"method, then nonsense":    {strings.Repeat("A", maxMethod+1) + "\x00", Limits{}, 501},
		"method beyond the head":   {strings.Repeat("A", 64), Limits{Head: 20}, 501},
		"a word without end":       {strings.Repeat("A", defaultMaxHead), Limits{}, 501},
		"fields, exactly":          {line + fields + "X: y\r\n\r\n", Limits{Fields: 2}, 0},
		"fields, one more":         {line + fields + "X: y\r\nZ: y\r\n\r\n", Limits{Fields: 2}, 431},
		"default head":             {line + fields + "X: " + strings.Repeat("a", defaultMaxHead), Limits{}, 431},
		"default fields":           {line + fields + strings.Repeat("X: y\r\n", 99) + "\r\n", Limits{}, 0},
		"default fields, one more": {line + fields + strings.Repeat("X: y\r\n", 100) + "\r\n", Limits{}, 431},
		"no limits":                {line + fields + strings.Repeat("X: y\r\n", 10000) + "\r\n", Limits{Head: -1, Fields: -1}, 0},
		"name beyond 64 KiB":       {line + fields + strings.Repeat("a", 1<<17) + ": b\r\n\r\n", Limits{Head: -1}, 431},
	} {
		t.Run(name, func(t *testing.T) {
			raw := []byte(c.raw)
			for _, cut := range []int{0, 1, 30, len(raw) / 2, len(raw) - 1} {
				n, err := parseCut(new(Head), raw, cut, c.limits)
				var e *Error
				if c.status == 0 && n != len(raw) || c.status != 0 && (!errors.As(err, &e) || e.Status != c.status) {
					t.Errorf("cut at %d: got %d, %v; want status %d", cut, n, err, c.status)
				}
			}
		})
	}
}

// Every case of the conformance suite gives the same result however its
// bytes are cut.
func TestHeadIsTheSameHoweverCut(t *testing.T) {
	for _, c := range http1test.Cases(t) {
		raw := c.Bytes()
		if len(raw) > 2000 {
			continue // the limits have their own test
		}
		h := new(Head)
		n, err := h.Parse(raw, Limits{})
		want := describe(h, n, err)
		for _, cut := range everyCut(raw) {
			h := new(Head)
			n, err := parseCut(h, raw, cut, Limits{})
			if got := describe(h, n, err); got != want {
				t.Fatalf("%s cut at %d:\n%s\nwhole:\n%s", c.Name, cut, got, want)
			}
		}
	}
}

func TestHeadParseDoesNotAllocate(t *testing.T) {
	h := new(Head)
	parse := func() {
		h.Reset()
		if n, err := h.Parse(browserRequest, Limits{}); n != len(browserRequest) || err != nil {
			t.Fatal(n, err)
		}
	}
	parse()
	if n := testing.AllocsPerRun(100, parse); n != 0 {
		t.Errorf("%v allocations a request", n)
	}
}

var browserRequest = []byte("GET /products/list?page=2&sort=price HTTP/1.1\r\n" +
	"Host: www.example.test\r\n" +
	"Connection: keep-alive\r\n" +
	"sec-ch-ua: \"Chromium\";v=\"130\", \"Not?A_Brand\";v=\"99\"\r\n" +
	"sec-ch-ua-mobile: ?0\r\n" +
	"Upgrade-Insecure-Requests: 1\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n" +
	"Sec-Fetch-Site: same-origin\r\n" +
	"Referer: https://www.example.test/products/list?page=1\r\n" +
	"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Accept-Language: en-US,en;q=0.9,de;q=0.8\r\n" +
	"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n" +
	"\r\n")

func BenchmarkHeadParse(b *testing.B) {
	h := new(Head)
	b.SetBytes(int64(len(browserRequest)))
	b.ReportAllocs()
	for b.Loop() {
		h.Reset()
		if n, err := h.Parse(browserRequest, Limits{}); n == 0 || err != nil {
			b.Fatal(n, err)
		}
	}
}
