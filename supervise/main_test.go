//go:build linux

package supervise_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/jay-go/jay/internal/leak"
	"github.com/jay-go/jay/supervise"
)

// programVariable makes the test binary run as a service: the value names one
// of testServices.
const programVariable = "SUPERVISE_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if name := os.Getenv(programVariable); name != "" {
		beforeMain()
		ignoreReserved()
		service := testServices()[name]
		if service == nil {
			service = kernelServices()[name]
		}
		if service == nil {
			fmt.Fprintf(os.Stderr, "no test service is called %q\n", name)
			os.Exit(2)
		}
		service().Main()
	}
	// Whoever runs the tests may ignore hang-ups, as nohup does; programs that are
	// started here are not to inherit that. A signal with a handler is theirs by
	// default again.
	if signal.Ignored(syscall.SIGHUP) {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
	// Daemons that outlive the command that started them become our children,
	// so that none is left behind unseen.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		fmt.Fprintln(os.Stderr, "prctl:", err)
		os.Exit(1)
	}
	// Most tests wait for processes rather than compute, so more of them may run
	// at once than there are processors.
	if err := flag.Set("test.parallel", "8"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	leak.Main(m, reapOrphans)
}

// reapOrphans takes the exit of what has become our child because its master
// was killed, and has ended since. What still runs is left to be found.
func reapOrphans() {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if pid <= 0 && !errors.Is(err, syscall.EINTR) {
			return
		}
	}
}

// modeMark begins the mode at the end of a program file: a copy of the test
// binary with a mode appended is another build of the service.
const modeMark = "\nSUPERVISE_TEST_MODE="

// mode is what the running file says at its end; "" for the test binary itself.
func mode() string {
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		return "" // Main has to say it
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		panic(err)
	}
	b := make([]byte, 64)
	if _, err := f.ReadAt(b, fi.Size()-int64(len(b))); err != nil {
		panic(err)
	}
	_, m, _ := strings.Cut(string(b), modeMark)
	return m
}

// beforeMain is what user code of a bad build does before it calls Main, and
// whoever started it as a child subreaper.
func beforeMain() {
	if os.Getenv("SUBREAPER") != "" && !inRole("worker") {
		unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	}
	switch mode() {
	case "exit":
		fmt.Fprintln(os.Stderr, "no configuration")
		os.Exit(1)
	case "hang":
		select {}
	case "noisy output":
		for inRole("describe") {
			fmt.Println(strings.Repeat("noise ", 100))
		}
	case "noisy report":
		for inRole("describe") {
			if _, err := os.NewFile(3, "report").Write(make([]byte, 1<<16)); err != nil {
				select {}
			}
		}
	case "slow": // in every role
		time.Sleep(slowness)
	case "hang as worker":
		if inRole("worker") {
			select {}
		}
	case "master: bad environment":
		if inRole("master") {
			os.Setenv("JAY_LOG_LEVEL", "none")
		}
	case "master: long story":
		if inRole("master") {
			os.Setenv("JAY_LOG_LEVEL", strings.Repeat("none\n", 40_000))
		}
	case "elsewhere":
		os.Setenv("JAY_RUN_DIR", "/nowhere")
	case "mark": // that it has been executed
		os.WriteFile(os.Getenv("OUT"), nil, 0o600)
	default:
		dieAsDaemon(mode())
	}
}

// inRole reports whether the process was started in a role. No program gets to
// know that, but for this one.
func inRole(role string) bool {
	environ, err := os.ReadFile("/proc/self/environ")
	if err != nil {
		panic(err)
	}
	return strings.Contains(string(environ), `"role":"`+role+`"`)
}

// slowness is how long each process of a slow build takes before Main, and each
// worker before it is ready.
const slowness = 300 * time.Millisecond

// testServices are the services that tests start as processes.
func testServices() map[string]func() *supervise.Options {
	return map[string]func() *supervise.Options{
		"http":     func() *supervise.Options { return options(httpProgram()) },
		"gated":    func() *supervise.Options { return options(gatedProgram()) },
		"reuse":    func() *supervise.Options { p := httpProgram(); p.ReusePort = true; return options(p) },
		"two":      func() *supervise.Options { return options(httpProgram(), crashProgram("exit")) },
		"crash":    func() *supervise.Options { return options(crashProgram(os.Getenv("CRASH"))) },
		"stubborn": func() *supervise.Options { return options(stubbornProgram()) },
		"file":     func() *supervise.Options { return options(fileProgram()) },
		"hooks":    hooksOptions,
		"hanging hooks": func() *supervise.Options {
			o := options(httpProgram())
			o.OnMasterReload = func() { select {} }
			o.OnWorkerExit = func(supervise.WorkerExit) { select {} }
			return o
		},
		"gated hooks": func() *supervise.Options {
			o := options(httpProgram())
			o.OnWorkerExit = func(supervise.WorkerExit) { awaitFile(os.Getenv("GATE")) }
			return o
		},
		"refuses": func() *supervise.Options {
			p := waitingProgram("refuses")
			p.OnWorkerStart = func(*supervise.Worker) error { return errors.New("there is no licence") }
			return options(p)
		},
		"three": func() *supervise.Options {
			stays := waitingProgram("b")
			stays.NotReloadable = true
			return options(waitingProgram("c"), stays, waitingProgram("a"))
		},
		"log":      logOptions,
		"hijack":   func() *supervise.Options { return options(hijackProgram()) },
		"store":    storeOptions,
		"extended": extendedOptions,
		"figures":  func() *supervise.Options { return options(figuresProgram()) },
		"loops":    func() *supervise.Options { return options(loopsProgram()) },
		"hung":     func() *supervise.Options { return options(hungProgram(os.Getenv("OUT"))) },
	}
}

func options(programs ...supervise.Program) *supervise.Options {
	o := &supervise.Options{Version: or(mode(), "test"), Programs: programs}
	if m := mode(); m == "no user" || m == "master: no user" && inRole("master") {
		o.User = "no-such-user"
	}
	return o
}

func or(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

// hooksOptions append a line to $OUT for each thing that the master is told.
func hooksOptions() *supervise.Options {
	note := func(format string, args ...any) {
		f, err := os.OpenFile(os.Getenv("OUT"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			panic(err)
		}
		defer f.Close()
		fmt.Fprintf(f, format+"\n", args...)
	}
	o := options(crashProgram("never"))
	o.OnMasterReload = func() { note("reload") }
	o.OnMasterStop = func() { note("stop") }
	o.OnWorkerExit = func(e supervise.WorkerExit) {
		note("exit %s/%d %d planned=%v %s", e.Program, e.Slot, e.Generation, e.Planned, e.Cause)
	}
	return o
}

// gatedProgram is httpProgram whose workers start when the file $GATE is there.
func gatedProgram() supervise.Program {
	p := httpProgram()
	p.OnWorkerStart = func(*supervise.Worker) error { awaitFile(os.Getenv("GATE")); return nil }
	return p
}

func awaitFile(name string) {
	for {
		if _, err := os.Stat(name); err == nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// httpProgram answers with "PID GENERATION SLOT"; /slow takes its time.
func httpProgram() supervise.Program {
	listen := []string{"tcp://127.0.0.1:0"}
	switch m := mode(); {
	case m == "taken":
		listen = append(listen, "unix://"+filepath.Join(filepath.Dir(os.Args[0]), "taken"))
	case m == "master: bad address" && inRole("master"):
		listen = append(listen, "unix:///no/such/directory/socket")
	}
	return supervise.Program{
		Name: "http", Protocol: "http", Listen: listen, Count: 2, StopTimeout: 5 * time.Second,
		Backlog: map[string]int{"short queue": 7}[mode()],
		Run: func(ctx context.Context, w *supervise.Worker) error {
			switch mode() {
			case "never": // Ready
				<-ctx.Done()
			case "slow":
				time.Sleep(slowness)
			case "late":
				time.AfterFunc(200*time.Millisecond, func() { panic("late") })
			case "fails":
				return errors.New("no database")
			}
			mux := http.NewServeMux()
			mux.HandleFunc("/", func(rw http.ResponseWriter, r *http.Request) {
				fmt.Fprintf(rw, "%d %d %d", os.Getpid(), w.Generation(), w.Slot())
			})
			mux.HandleFunc("/slow", func(rw http.ResponseWriter, r *http.Request) {
				ms, _ := strconv.Atoi(r.FormValue("ms"))
				io.WriteString(rw, "begin ")
				http.NewResponseController(rw).Flush()
				time.Sleep(time.Duration(ms) * time.Millisecond)
				io.WriteString(rw, "end")
			})
			mux.HandleFunc("/orphan", func(rw http.ResponseWriter, r *http.Request) {
				if err := exec.Command("sh", "-c", "sleep 0.1 & sleep 0.2 &").Run(); err != nil {
					http.Error(rw, err.Error(), http.StatusInternalServerError)
				}
			})
			mux.HandleFunc("/env", func(rw http.ResponseWriter, r *http.Request) {
				io.WriteString(rw, strings.Join(os.Environ(), "\n"))
			})
			return supervise.DrainHTTP(ctx, w, &http.Server{Handler: mux})
		},
	}
}

// crashProgram never serves.
func crashProgram(how string) supervise.Program {
	return supervise.Program{
		Name: "crash", Count: 1, StartTimeout: map[string]time.Duration{"hang": time.Second}[how],
		Run: func(ctx context.Context, w *supervise.Worker) error {
			switch how {
			case "panic":
				panic("on purpose")
			case "hang":
				fmt.Println("at its start")
				select {}
			case "error":
				return errors.New("the database is on fire")
			case "first": // and only the first
				if os.Mkdir(os.Getenv("OUT"), 0o700) == nil {
					os.Exit(7)
				}
				w.Ready()
				<-ctx.Done()
				return nil
			case "late": // Ready, then gone
				w.Ready()
				time.Sleep(50 * time.Millisecond)
				os.Exit(3)
			case "never":
				w.Ready()
				<-ctx.Done()
				return nil
			}
			os.Exit(7)
			return nil
		},
	}
}

// waitingProgram serves nobody, and goes when it is told to.
func waitingProgram(name string) supervise.Program {
	p := crashProgram("never")
	p.Name = name
	return p
}

// stubbornProgram ignores every request to go.
func stubbornProgram() supervise.Program {
	return supervise.Program{
		Name: "stubborn", Count: 1, Listen: []string{"tcp://127.0.0.1:0"}, StopTimeout: 300 * time.Millisecond,
		Run: func(ctx context.Context, w *supervise.Worker) error {
			w.Ready()
			//lint:ignore SA5002 that is the point: a goroutine that never yields
			for {
			}
		},
	}
}

// fileProgram appends a line to $OUT for each thing that happens to it.
func fileProgram() supervise.Program {
	note := func(w *supervise.Worker, what string) {
		f, err := os.OpenFile(os.Getenv("OUT"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			panic(err)
		}
		defer f.Close()
		fmt.Fprintf(f, "%s %d %d\n", what, w.Generation(), w.Slot())
	}
	return supervise.Program{
		Name: "file", Count: 1,
		OnWorkerStart: func(w *supervise.Worker) error { note(w, "start"); return nil },
		OnWorkerStop:  func(w *supervise.Worker) { note(w, "stop") },
		OnReload:      func(w *supervise.Worker) { note(w, "reload") },
		Run: func(ctx context.Context, w *supervise.Worker) error {
			note(w, "run")
			w.Ready()
			<-ctx.Done()
			var d *supervise.Drain
			errors.As(context.Cause(ctx), &d)
			note(w, "drain:"+d.Reason.String())
			return nil
		},
	}
}

// hungProgram is hung once it is ready, for the first to make the directory
// once. With STUCK its standard error takes nothing.
func hungProgram(once string) supervise.Program {
	return supervise.Program{
		Name: "hung", Count: 1,
		Run: func(ctx context.Context, w *supervise.Worker) error {
			w.Ready()
			if os.Mkdir(once, 0o700) != nil {
				<-ctx.Done()
				return nil
			}
			if os.Getenv("STUCK") != "" {
				_, full, err := os.Pipe()
				if err != nil {
					return err
				}
				os.Stderr = full
			}
			for range hungGoroutines {
				go waitForNothing()
			}
			report, err := w.Report(supervise.Loop{})
			if err != nil {
				return err
			}
			report.Hung("it waits for nothing")
			select {}
		},
	}
}

// hungGoroutines have stacks that fill a pipe several times.
const hungGoroutines = 1000

func waitForNothing() { select {} }
