package e2e

import (
	"context"
	"fmt"
	"image"
	_ "image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/needs"
)

// browse runs a headless Chromium on url with a fresh profile.
func browse(t *testing.T, chromium, url string, flags ...string) (stdout string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	args := append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-zygote",
		"--user-data-dir=" + t.TempDir(),
	}, flags...)
	cmd := exec.CommandContext(ctx, chromium, append(args, url)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("chromium: %v\n%s", err, out)
	}
	return string(out)
}

// TestBrowser shows a real browser the request that it sent.
func TestBrowser(t *testing.T) {
	chromium := needs.Program(t, "chromium")
	s := start(t, "jay")
	url := fmt.Sprintf("http://%s/path?q=%%3Cscript%%3E", s.addr)

	dom := browse(t, chromium, url, "--dump-dom")
	for _, want := range []string{"GET /path?q=%3Cscript%3E HTTP/1.1", "Host: " + s.addr, "User-Agent: Mozilla/5.0", "Accept-Encoding: gzip"} {
		if !strings.Contains(dom, want) {
			t.Errorf("the page lacks %q:\n%s", want, dom)
		}
	}

	shot := filepath.Join(t.TempDir(), "page.png")
	browse(t, chromium, url, "--screenshot="+shot, "--window-size=1000,400", "--default-background-color=FFFFFFFF")
	if dark := darkPixels(t, shot); dark < 500 {
		t.Errorf("the screenshot has %d dark pixels: no text is to be seen", dark)
	}
	keep(t, shot)
}

// TestBrowserExecutesNothing: what somebody puts into a link or a form does
// not run as a script of this site.
func TestBrowserExecutesNothing(t *testing.T) {
	chromium := needs.Program(t, "chromium")
	s := start(t, "jay")
	page := filepath.Join(t.TempDir(), "attack.html")
	form := fmt.Sprintf(`<form id=f method=post enctype=text/plain action="http://%s/">`+
		`<input name="<script>document.documentElement.innerHTML='executed'</script>" value=x></form><script>f.submit()</script>`, s.addr)
	if err := os.WriteFile(page, []byte(form), 0o644); err != nil {
		t.Fatal(err)
	}
	dom := browse(t, chromium, "file://"+page, "--dump-dom", "--virtual-time-budget=5000")
	if !strings.Contains(dom, "POST / HTTP/1.1") {
		t.Errorf("the browser is not at the reflected request:\n%s", dom)
	}
	if strings.Contains(dom, "<body>executed") || !strings.Contains(dom, "<script>document") {
		t.Errorf("the script in the request was executed:\n%s", dom)
	}
}

func darkPixels(t *testing.T, path string) (n int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, _, err := image.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y++ {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x++ {
			if r, g, b, _ := img.At(x, y).RGBA(); r+g+b < 3*0x8000 {
				n++
			}
		}
	}
	return n
}

// keep copies a file to the directory JAY_E2E_KEEP, if there is one, for eyes.
func keep(t *testing.T, path string) {
	t.Helper()
	dir := os.Getenv("JAY_E2E_KEEP")
	if dir == "" {
		return
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), b, 0o644); err != nil {
		t.Fatal(err)
	}
}
