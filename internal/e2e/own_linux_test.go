package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/supervise"
	"github.com/jay-go/jay/web"
)

// counting is a program whose workers leave the number of requests that they
// have handled in the run directory.
func counting() {
	handled := 0 // of this worker; belongs to its loop
	jay.Main(&jay.Server{
		Name:    "counting",
		Addr:    "tcp://127.0.0.1:0",
		Workers: 2,
		Protocol: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
			handled++
			w.WriteString("ok")
		}),
		OnWorkerStop: func(*jay.Worker) {
			file := filepath.Join(os.Getenv("JAY_E2E_COUNTS"), fmt.Sprintf("count-%d", os.Getpid()))
			os.WriteFile(file, fmt.Append(nil, handled), 0o600)
		},
	})
}

// bothKinds answers with the network that it was asked by.
func bothKinds() {
	supervise.Main(supervise.Program{Name: "both", Count: 2, Listen: []string{"tcp://127.0.0.1:1", "udp://127.0.0.1:1"}, Run: serveBothKinds})
}

func serveBothKinds(ctx context.Context, w *supervise.Worker) error {
	ln, err := w.Sockets()[0].Listener()
	if err != nil {
		return err
	}
	packets, err := w.Sockets()[1].PacketConn()
	if err != nil {
		return err
	}
	var ends sync.WaitGroup
	ends.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			c.Read(make([]byte, 1))
			io.WriteString(c, "tcp")
			c.Close()
		}
	})
	ends.Go(func() {
		for {
			_, peer, err := packets.ReadFrom(make([]byte, 100))
			if err != nil {
				return
			}
			packets.WriteTo([]byte("udp"), peer)
		}
	})
	err = w.Ready()
	<-ctx.Done()
	ln.Close()
	packets.Close()
	ends.Wait()
	return err
}

// large echoes bodies of any size.
func large() {
	jay.Main(&jay.Server{
		Addr: "tcp://127.0.0.1:0",
		Protocol: &web.Protocol{MaxBody: -1, Handler: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
			w.Write(r.Body())
		})},
		Conn: jay.ConnConfig{MaxOutput: -1},
	})
}

// mortal has workers that serve 500 requests each.
func mortal() {
	jay.Main(&jay.Server{
		Name:        "mortal",
		Addr:        "tcp://127.0.0.1:0",
		Workers:     2,
		MaxRequests: 500,
		Protocol:    web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) { w.WriteString("ok") }),
	})
}

// narrow has room for eight connections that wait.
func narrow() {
	jay.Main(&jay.Server{
		Name:     "narrow",
		Addr:     "tcp://127.0.0.1:0",
		Workers:  2,
		Backlog:  8,
		Protocol: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) { w.WriteString("ok") }),
	})
}

// logging is a server whose one worker logs, on its loop, what a request has,
// in the way that the path says.
func logging() {
	var logger *slog.Logger
	handle := func(w *web.ResponseWriter, r *web.Request) {
		switch body := string(r.Body()); r.Path() {
		case "/log":
			logger.Info(body, "target", r.Target(), "peer", r.RemoteAddr(), "agent", r.Header("User-Agent"), body, errors.New(body))
		case "/panic":
			panic(body)
		case "/error":
			if err := w.SetHeader("Set-Cookie", "id="+body); err != nil {
				panic(err)
			}
		case "/print":
			fmt.Fprintln(os.Stderr, body)
			fmt.Fprintln(os.Stdout, body)
		case "/much": // 10 MB
			for range 10_000 {
				logger.Info(strings.Repeat("x", 1000))
			}
		case "/fds":
			out, err := exec.Command("ls", "-l", "/proc/self/fd").CombinedOutput()
			fmt.Fprintf(w, "%s%v", out, err)
			return
		}
		w.WriteString("ok")
	}
	jay.Main(&jay.Server{
		Name: "logging", Addr: "tcp://127.0.0.1:0", Workers: 1,
		OnWorkerStart: func(w *jay.Worker) error { logger = w.Logger(); return nil },
		Protocol:      web.HandlerFunc(handle),
	})
}

// dumping has workers that leave core files.
func dumping() {
	(&jay.Options{Options: supervise.Options{CoreDumps: true}, Servers: []*jay.Server{{
		Name:     "dumping",
		Addr:     "tcp://127.0.0.1:0",
		Workers:  1,
		Protocol: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) { go panic("for a core file") }),
	}}}).Main()
}

// leaking keeps 64 KiB for good with each request. Its workers may take so much
// memory (MaxRSS).
const leakingRSS = 128 << 20

func leaking() {
	var kept [][]byte // belongs to the loop
	jay.Main(&jay.Server{
		Name:    "leaking",
		Addr:    "tcp://127.0.0.1:0",
		Workers: 1,
		MaxRSS:  leakingRSS,
		Protocol: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
			leak := make([]byte, 64<<10)
			for i := 0; i < len(leak); i += 4096 {
				leak[i] = 1
			}
			kept = append(kept, leak)
			fmt.Fprintf(w, "ok %d\n", os.Getpid())
		}),
	})
}

// crowded is a server that no machine has the descriptors for.
func crowded() {
	jay.Main(&jay.Server{
		Name:     "crowded",
		Addr:     "tcp://127.0.0.1:0",
		Workers:  1,
		MaxConns: 1_000_000_000,
		Backlog:  2_000_000,
		Protocol: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) { w.WriteString("ok") }),
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
			Protocol: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
				fmt.Fprintf(w, "%d %d", os.Getpid(), reloads)
			}),
		}
	}
	kept := server("kept")
	kept.NotReloadable = true
	kept.OnWorkerStart = func(w *jay.Worker) error {
		_, err := w.Listen(jay.Endpoint{Addr: "unix://" + filepath.Join(os.Getenv("JAY_E2E_COUNTS"), "own.sock")})
		return err
	}
	jay.Main(server("fresh"), kept)
}

// heldBytes is what each request for /hold of measured keeps.
const heldBytes = 64 << 20

// measured is a server of one worker, with work that has a known size.
func measured() {
	var held [][]byte // belongs to the loop
	jay.Main(&jay.Server{
		Name: "measured", Addr: "tcp://127.0.0.1:0", Workers: 1,
		Protocol: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
			switch r.Path() {
			case "/hold":
				b := make([]byte, heldBytes)
				for i := 0; i < len(b); i += 4096 {
					b[i] = 1
				}
				held = append(held, b)
			case "/sleep":
				time.Sleep(20 * time.Millisecond)
			case "/burn":
				for end := time.Now().Add(20 * time.Millisecond); time.Now().Before(end); {
				}
			}
			w.WriteString("ok")
		}),
	})
}

// ownPrograms are what the test binary becomes when JAY_E2E_PROGRAM says so.
var ownPrograms = map[string]func(){
	"addressed": addressed, "endpoints": endpoints, "extended": extended,
	"bothKinds": bothKinds, "counting": counting, "crowded": crowded, "dumping": dumping, "holding": holding, "large": large, "logging": logging,
	"measured": measured, "mortal": mortal, "leaking": leaking, "narrow": narrow, "reloading": reloading,
}

const ownVariable = "JAY_E2E_PROGRAM"

// startOwn starts one of ownPrograms.
func startOwn(t *testing.T, name string, args ...string) *service {
	t.Helper()
	return startOwnWith(t, name, nil, nil, args...)
}

// startOwnWith leaves it some more descriptors than it asks for, and gives it
// variables, NAME=VALUE, in its environment.
func startOwnWith(t *testing.T, name string, extra []*os.File, env []string, args ...string) *service {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := runDir(t)
	cmd := exec.Command(self, append([]string{"start", "--run-dir", dir}, args...)...)
	cmd.Env = append(os.Environ(), append(env, ownVariable+"="+name, "JAY_E2E_COUNTS="+dir)...)
	cmd.ExtraFiles = extra
	s := launchCommand(t, self, dir, cmd)
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
