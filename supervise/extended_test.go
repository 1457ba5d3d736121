//go:build linux

package supervise_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/jay-go/jay/supervise"
)

// extendedOptions are a service with an extension: a flag, a command, and a program
// where the flag is set, which answers with it.
func extendedOptions() *supervise.Options {
	var word string
	o := options(httpProgram())
	o.Extensions = []supervise.Extension{{
		Name: "greeter",
		Flags: func(fs *flag.FlagSet) {
			fs.StringVar(&word, "greeting", "", "`WORD` that the greeter says; it needs one")
		},
		Programs: func() ([]supervise.Program, error) {
			switch word {
			case "":
				return nil, nil
			case "bad":
				return nil, fmt.Errorf("--greeting %s: write a friendly word", word)
			}
			return []supervise.Program{{
				Name: "greeter", Listen: []string{"tcp://127.0.0.1:0"}, Count: 1,
				Run: func(ctx context.Context, w *supervise.Worker) error {
					return supervise.DrainHTTP(ctx, w, &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
						fmt.Fprintf(rw, "%s from generation %d", word, w.Generation())
					})})
				},
			}}, nil
		},
		Commands: []supervise.Command{{
			Name: "greet", Args: "NAME", Usage: "greet somebody", Help: "What is read from standard input is repeated.\n", Flags: []string{"greeting"},
			Run: func(ctx context.Context, call supervise.Call) error {
				if len(call.Args) != 1 {
					return fmt.Errorf("write one NAME: %w", supervise.ErrUsage)
				}
				st, err := call.Client.Status(ctx)
				if err != nil {
					return err
				}
				text, err := io.ReadAll(call.Stdin)
				fmt.Fprintf(call.Stdout, "%s %s, %s: %s\n", word, call.Args[0], st.State, text)
				fmt.Fprintf(call.Stderr, "in %s\n", call.RunDir)
				return err
			},
		}},
	}}
	return o
}

// TestExtension: flags, commands and programs of a package stand in the command line
// as those of ours, and its flags reach the workers through reload and upgrade.
func TestExtension(t *testing.T) {
	t.Parallel()
	s := newService(t, "extended")
	greet := func(args ...string) (stdout, stderr string, code int) {
		cmd := s.command(append([]string{"greet"}, args...)...)
		var errs strings.Builder
		cmd.Stdin, cmd.Stderr = strings.NewReader("how are you"), &errs
		b, _ := cmd.Output()
		return string(b), errs.String(), cmd.ProcessState.ExitCode()
	}
	if _, stderr, code := greet("Ann"); code != 3 || !strings.Contains(stderr, "greet: not running") {
		t.Errorf("greet: exit %d: %s", code, stderr)
	}
	s.install("good")
	s.start("--greeting", "hello", "--workers", "greeter=2")
	greeting := func() string {
		for _, p := range s.status().Programs {
			if p.Name == "greeter" && p.Want == 2 {
				_, addr, _ := strings.Cut(p.Addresses[0], "://")
				answer, err := get(addr, "/")
				if err != nil {
					t.Fatal(err)
				}
				return answer
			}
		}
		return "there is no greeter with two workers"
	}
	if got := greeting(); got != "hello from generation 1" {
		t.Error(got)
	}
	for i, command := range []string{"reload", "upgrade"} {
		s.install(fmt.Sprint("v", i))
		s.must(command)
		if got, want := greeting(), fmt.Sprintf("hello from generation %d", i+2); got != want {
			t.Errorf("after %s: %s, want %s", command, got, want)
		}
	}
	if stdout, stderr, code := greet("--greeting", "hi", "Ann"); code != 0 || stdout != "hi Ann, running: how are you\n" || stderr != "in "+s.dir+"\n" {
		t.Errorf("greet: exit %d: %q, %q", code, stdout, stderr)
	}
	if _, stderr, code := greet(); code != 2 || !strings.Contains(stderr, "greet: write one NAME") {
		t.Errorf("greet without a name: exit %d: %s", code, stderr)
	}
}

// TestExtensionHelp: help and completion have what an extension adds, and errors name
// the nearest of it.
func TestExtensionHelp(t *testing.T) {
	t.Parallel()
	s := newService(t, "extended")
	for args, wants := range map[string][]string{
		"help":       {"greet NAME     greet somebody", "--greeting WORD"},
		"help greet": {"greet NAME [FLAGS]\n", "greet somebody\n", "What is read from standard input is repeated.", "--greeting WORD", "--run-dir DIR"},
		"help start": {"--greeting WORD"},
		"completion": {"greet", "--greeting"},
	} {
		out := s.must(strings.Fields(args)...)
		for _, want := range wants {
			if !strings.Contains(out, want) {
				t.Errorf("%s lacks %q:\n%s", args, want, out)
			}
		}
		if args != "completion" {
			wantNarrow(t, args, out, 80)
		}
	}
	if out := s.must("help", "greet"); strings.Contains(out, "--workers") {
		t.Errorf("help greet offers a flag that it does not heed:\n%s", out)
	}
	for args, want := range map[string]string{
		"gret Ann":             "did you mean greet?",
		"greet --greting x":    "did you mean --greeting?",
		"start --greeting bad": "extension greeter: --greeting bad: write a friendly word",
		"check --greeting bad": "extension greeter: --greeting bad: write a friendly word",
		"--admin :1":           "this program does not import the admin package",
	} {
		if out, code := s.run(strings.Fields(args)...); code != 2 || !strings.Contains(out, want) || strings.Count(out, "\n") != 1 {
			t.Errorf("%s: exit %d: %s; want exit 2 and %q", args, code, out, want)
		}
	}
	if out := s.must("check", "--greeting", "hello"); !strings.Contains(out, "greeter: 1 worker at tcp://127.0.0.1:0") {
		t.Errorf("check does not look at the program of an extension:\n%s", out)
	}
}
