package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/http1"
)

// counting is a program whose workers leave the number of requests that they
// have handled in the run directory.
func counting() {
	handled := 0 // of this worker; belongs to its loop
	jay.Main(&jay.Server{
		Name:    "counting",
		Addr:    "tcp://127.0.0.1:0",
		Workers: 2,
		Handler: http1.HandlerFunc(func(w *http1.ResponseWriter, r *http1.Request) {
			handled++
			w.WriteString("ok")
		}),
		OnWorkerStop: func(*jay.Worker) {
			file := filepath.Join(os.Getenv("JAY_E2E_COUNTS"), fmt.Sprintf("count-%d", os.Getpid()))
			os.WriteFile(file, fmt.Append(nil, handled), 0o600)
		},
	})
}

// large echoes bodies of any size.
func large() {
	jay.Main(&jay.Server{
		Addr: "tcp://127.0.0.1:0",
		Handler: &http1.Protocol{MaxBody: -1, Handler: func(w *http1.ResponseWriter, r *http1.Request) {
			w.Write(r.Body())
		}},
		MaxOutput: -1,
	})
}

// mortal has workers that serve 500 requests each.
func mortal() {
	jay.Main(&jay.Server{
		Name:        "mortal",
		Addr:        "tcp://127.0.0.1:0",
		Workers:     2,
		MaxRequests: 500,
		Handler:     http1.HandlerFunc(func(w *http1.ResponseWriter, r *http1.Request) { w.WriteString("ok") }),
	})
}

// narrow has room for eight connections that wait.
func narrow() {
	jay.Main(&jay.Server{
		Name:    "narrow",
		Addr:    "tcp://127.0.0.1:0",
		Workers: 2,
		Backlog: 8,
		Handler: http1.HandlerFunc(func(w *http1.ResponseWriter, r *http1.Request) { w.WriteString("ok") }),
	})
}

// reloading is two servers that answer with how many reloads they have been
// told of; the second one keeps its worker, which listens on a Unix socket too.
func reloading() {
	server := func(name string) *jay.Server {
		reloads := 0 // of this worker; belongs to its loop
		return &jay.Server{
			Name:     name,
			Addr:     "tcp://127.0.0.1:0",
			Workers:  1,
			OnReload: func(*jay.Worker) { reloads++ },
			Handler: http1.HandlerFunc(func(w *http1.ResponseWriter, r *http1.Request) {
				fmt.Fprintf(w, "%d %d", os.Getpid(), reloads)
			}),
		}
	}
	kept := server("kept")
	kept.NotReloadable = true
	kept.OnWorkerStart = func(w *jay.Worker) error {
		_, err := w.Listen("unix://"+filepath.Join(os.Getenv("JAY_E2E_COUNTS"), "own.sock"), nil)
		return err
	}
	jay.Main(server("fresh"), kept)
}

// ownPrograms are what the test binary becomes when JAY_E2E_PROGRAM says so.
var ownPrograms = map[string]func(){"counting": counting, "large": large, "mortal": mortal, "narrow": narrow, "reloading": reloading}

const ownVariable = "JAY_E2E_PROGRAM"

// startOwn starts one of ownPrograms.
func startOwn(t *testing.T, name string, args ...string) *service {
	t.Helper()
	t.Setenv(ownVariable, name)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := runDir(t)
	t.Setenv("JAY_E2E_COUNTS", dir)
	s := launchBinary(t, self, dir, args...)
	s.waitReady()
	return s
}

// handled adds up what the workers left.
func (s *service) handled() (total, workers int) {
	s.t.Helper()
	files, _ := filepath.Glob(filepath.Join(s.runDir, "count-*"))
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			s.t.Fatal(err)
		}
		var n int
		fmt.Sscan(string(b), &n)
		total += n
	}
	return total, len(files)
}
