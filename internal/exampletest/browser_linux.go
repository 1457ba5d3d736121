package exampletest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/needs"
)

// A Page is a page in a real browser, a headless Chromium that is told what to
// do over its debugging pipe. What it is asked for and cannot do fails the
// test.
type Page struct {
	t       *testing.T
	in      *os.File
	out     *bufio.Reader
	id      int
	session string // empty until the page is attached to
}

// Open opens url in a browser of its own, which the end of the test closes, and
// returns when the page is loaded.
func Open(t *testing.T, url string) *Page {
	t.Helper()
	p := &Page{t: t}
	p.launch(needs.Program(t, "chromium"))
	var target struct{ TargetID string }
	p.call("Target.createTarget", map[string]any{"url": url}, &target)
	var attached struct{ SessionID string }
	p.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	p.session = attached.SessionID
	for end := time.Now().Add(Patience); ; time.Sleep(20 * time.Millisecond) {
		loaded, err := p.evaluate(`location.href !== "about:blank" && document.readyState === "complete"`)
		if string(loaded.Result.Value) == "true" {
			return p
		}
		if time.Now().After(end) {
			t.Fatalf("%s is not loaded after %v: %s, %v", url, Patience, loaded.Result.Value, err)
		}
	}
}

// launch starts the browser. It reads commands from its descriptor 3 and
// writes answers to 4.
func (p *Page) launch(chromium string) {
	p.t.Helper()
	theirIn, in, err := os.Pipe()
	if err != nil {
		p.t.Fatal(err)
	}
	out, theirOut, err := os.Pipe()
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.Command(chromium, "--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--no-first-run",
		"--disable-dev-shm-usage", "--no-zygote", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--window-size=900,600", "--user-data-dir="+p.t.TempDir())
	cmd.ExtraFiles = []*os.File{theirIn, theirOut}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	theirIn.Close()
	theirOut.Close()
	p.in, p.out = in, bufio.NewReader(out)
	var once sync.Once
	kill := func() { once.Do(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }) }
	late := time.AfterFunc(3*Patience, kill) // ends a wait for an answer too
	p.t.Cleanup(func() {
		late.Stop()
		kill()
		_ = cmd.Wait() // it was killed
		in.Close()
		out.Close()
	})
}

// call sends a command of the DevTools protocol and reads its result.
func (p *Page) call(method string, params map[string]any, result any) {
	p.t.Helper()
	if err := p.try(method, params, result); err != nil {
		p.t.Fatalf("%s: %v", method, err)
	}
}

func (p *Page) try(method string, params map[string]any, result any) error {
	p.id++
	command := map[string]any{"id": p.id, "method": method, "params": params}
	if p.session != "" {
		command["sessionId"] = p.session
	}
	b, err := json.Marshal(command)
	if err != nil {
		return err
	}
	if _, err := p.in.Write(append(b, 0)); err != nil {
		return err
	}
	for {
		b, err := p.out.ReadBytes(0)
		if err != nil {
			return err
		}
		var answer struct {
			ID     int // 0: an event
			Result json.RawMessage
			Error  json.RawMessage
		}
		switch err := json.Unmarshal(bytes.TrimSuffix(b, []byte{0}), &answer); {
		case err != nil:
			return err
		case answer.ID != p.id:
		case answer.Error != nil:
			return fmt.Errorf("the browser says %s", answer.Error)
		default:
			return json.Unmarshal(answer.Result, result)
		}
	}
}

// evaluation is the answer to Runtime.evaluate.
type evaluation struct {
	Result           struct{ Value json.RawMessage }
	ExceptionDetails json.RawMessage
}

func (p *Page) evaluate(script string) (e evaluation, err error) {
	err = p.try("Runtime.evaluate", map[string]any{"expression": script, "awaitPromise": true, "returnByValue": true}, &e)
	return e, err
}

// Eval runs a script in the page, waits for the promise that it may be, and
// returns the result as JSON.
func (p *Page) Eval(script string) string {
	p.t.Helper()
	e, err := p.evaluate(script)
	if err != nil || e.ExceptionDetails != nil {
		p.t.Fatalf("%s\nthrew %s, %v", script, e.ExceptionDetails, err)
	}
	return string(e.Result.Value)
}

// Eventually waits until a script that is a condition holds, maybe on another
// page by then.
func (p *Page) Eventually(condition string) {
	p.t.Helper()
	for end := time.Now().Add(Patience); ; time.Sleep(20 * time.Millisecond) {
		e, err := p.evaluate("!!(" + condition + ")")
		if string(e.Result.Value) == "true" {
			return
		}
		if time.Now().After(end) {
			p.t.Fatalf("not within %v: %s (%s, %v)\nthe page: %s", Patience, condition, e.ExceptionDetails, err,
				p.Eval("document.body && document.body.innerText"))
		}
	}
}

// Visible fails the test when the page has fewer dark pixels than a few words
// have. The screenshot goes to the directory JAY_E2E_KEEP, if there is one, as
// NAME.png, for eyes.
func (p *Page) Visible(name string) {
	p.t.Helper()
	var shot struct{ Data []byte }
	p.call("Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
	img, err := png.Decode(bytes.NewReader(shot.Data))
	if err != nil {
		p.t.Fatalf("screenshot: %v", err)
	}
	dark := 0
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y++ {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x++ {
			if r, g, b, _ := img.At(x, y).RGBA(); r+g+b < 3*0x8000 {
				dark++
			}
		}
	}
	if dark < 500 {
		p.t.Errorf("the screenshot has %d dark pixels: no text is to be seen", dark)
	}
	if dir := os.Getenv("JAY_E2E_KEEP"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name+".png"), shot.Data, 0o644); err != nil {
			p.t.Fatal(err)
		}
	}
}
