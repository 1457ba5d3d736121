package main

import (
	"fmt"
	"net/url"
	"syscall"
	"testing"

	"github.com/jay-go/jay/internal/exampletest"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

// enter opens the page in a browser of its own, which enters by itself.
func enter(t *testing.T, s *exampletest.Service, name, room string) *exampletest.Page {
	t.Helper()
	page := exampletest.Open(t, fmt.Sprintf("http://%s/#%s/%s", s.Addr("chat"), url.PathEscape(name), url.PathEscape(room)))
	page.Eventually(fmt.Sprintf(`$("state").textContent === %q`, "in "+room))
	return page
}

func said(line string) string {
	return fmt.Sprintf(`[...$("log").children].some(p => p.textContent === %q)`, line)
}

func online(names string) string {
	return fmt.Sprintf(`[...$("online").children].map(li => li.textContent).join() === %q`, names)
}

// TestChat: two people see who is there and what the other says, which is
// text and never markup; other rooms are separate; and after a reload, or when
// the worker has died, both come back by themselves and are together.
func TestChat(t *testing.T) {
	s := exampletest.Start(t, "--stop-timeout", "1m") // nobody may be left behind that long
	ann := enter(t, s, "<b>ann</b>", "lobby")
	bob := enter(t, s, "bob", "lobby")
	for _, page := range []*exampletest.Page{ann, bob} {
		page.Eventually(online("<b>ann</b>,bob"))
	}
	ann.Eventually(said("bob has joined"))

	bob.Eval(`$("text").value = "hello <i>ann</i>"; $("say").requestSubmit()`)
	ann.Eventually(said("bob: hello <i>ann</i>"))
	if ann.Eval(`document.querySelector("main b, main i")`) != "null" {
		t.Error("what somebody has said became markup")
	}

	bob.Eval(`new Promise(resolve => {
		const ws = new WebSocket("ws://" + location.host + "/ws?name=bob&room=other");
		ws.onopen = () => ws.send("elsewhere");
		ws.onmessage = m => JSON.parse(m.data).type === "said" && resolve();
	})`)
	bob.Eval(`$("text").value = "here"; $("say").requestSubmit()`)
	ann.Eventually(said("bob: here"))
	if ann.Eval(said("bob: elsewhere")) != "false" {
		t.Error("what was said in another room is to be seen")
	}
	ann.Visible("chat")

	for _, tt := range []struct {
		what   string
		happen func()
	}{
		{"a reload", func() { s.Command("reload") }},
		{"the death of the worker", func() {
			for _, w := range s.Status().Workers {
				if w.State != "ready" {
					continue // it drains for the reload
				}
				if err := syscall.Kill(w.PID, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
		}},
	} {
		ann.Eval(`$("log").replaceChildren()`)
		tt.happen()
		t.Log("after", tt.what)
		ann.Eventually(said("<b>ann</b> has joined"))
		ann.Eventually(online("<b>ann</b>,bob"))
	}
}
