package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/http1"
	"github.com/jay-go/jay/internal/needs"
)

// TestPage: a browser enters a room by itself, and a name that is markup is
// shown as text. The screenshot goes to JAY_E2E_KEEP, for eyes.
func TestPage(t *testing.T) {
	chromium := needs.Program(t, "chromium")
	c := newChat()
	s := &jay.Server{Addr: "tcp://127.0.0.1:0", Handler: http1.HandlerFunc(c.serve), StopTimeout: time.Second}
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() { ended <- s.ServeReady(ctx, func(a []net.Addr) { ready <- a[0].String() }) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	page := fmt.Sprintf("http://%s/#%s/lobby", <-ready, url.PathEscape("<b>ann</b>"))
	shot := filepath.Join(t.TempDir(), "chat.png")
	if dir := os.Getenv("JAY_E2E_KEEP"); dir != "" {
		shot = filepath.Join(dir, "chat.png")
	}
	dom := browse(t, chromium, page, "--dump-dom")
	for _, want := range []string{"&lt;b&gt;ann&lt;/b&gt; has joined", "<li>&lt;b&gt;ann&lt;/b&gt;</li>", "in lobby"} {
		if !strings.Contains(dom, want) {
			t.Errorf("the page lacks %q:\n%s", want, dom[strings.Index(dom, "<body"):])
		}
	}
	browse(t, chromium, page, "--screenshot="+shot, "--window-size=900,600")
	if info, err := os.Stat(shot); err != nil || info.Size() < 1000 {
		t.Errorf("screenshot: %v, %v", info, err)
	}
}

// browse runs a headless Chromium on a page until that has been quiet.
func browse(t *testing.T, chromium, page string, flags ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	args := append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage", "--no-zygote",
		"--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--virtual-time-budget=3000", "--user-data-dir=" + t.TempDir(),
	}, flags...)
	cmd := exec.CommandContext(ctx, chromium, append(args, page)...)
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("chromium: %v\n%s", err, out)
	}
	return string(out)
}
