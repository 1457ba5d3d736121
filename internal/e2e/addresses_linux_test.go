package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/internal/exampletest"
	"github.com/jay-go/jay/supervise"
	"github.com/jay-go/jay/web"
)

// addressed listens where the file $JAY_E2E_ADDRESSES says, which a reload
// reads again. "/slow" is answered when the file $JAY_E2E_ADDRESSES.go is there.
func addressed() {
	file := os.Getenv("JAY_E2E_ADDRESSES")
	b, err := os.ReadFile(file)
	if err != nil {
		panic(err)
	}
	text := string(b)
	s := &jay.Server{
		Name: "addressed", Workers: 2, ReusePort: os.Getenv("JAY_E2E_REUSE") != "", StopTimeout: time.Minute,
		Protocol: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
			if r.Path() != "/slow" {
				io.WriteString(w, "ok")
				return
			}
			later := w.Later()
			var look func()
			look = func() {
				if _, err := os.Stat(file + ".go"); err != nil {
					r.Conn().Loop().AfterFunc(5*time.Millisecond, look)
				} else if !later.Gone() {
					io.WriteString(later.Writer(), "slow")
					later.Finish()
				}
			}
			look()
		}),
	}
	for _, addr := range strings.Fields(text) {
		s.Endpoints = append(s.Endpoints, jay.Endpoint{Addr: addr})
	}
	(&jay.Options{Servers: []*jay.Server{s}, Options: supervise.Options{}}).Main()
}

// startAddressed starts addressed at some addresses. set gives it others, for
// the next reload; release lets it answer what is slow.
func startAddressed(t *testing.T, reuse bool, addresses ...string) (s *service, set func(...string), release func()) {
	t.Helper()
	file := filepath.Join(runDir(t), "addresses")
	set = func(list ...string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(strings.Join(list, "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	set(addresses...)
	env := []string{"JAY_E2E_ADDRESSES=" + file}
	if reuse {
		env = append(env, "JAY_E2E_REUSE=1")
	}
	release = func() { os.WriteFile(file+".go", nil, 0o600) }
	t.Cleanup(release)
	return startOwnWith(t, "addressed", nil, env), set, release
}

// fetchAt asks once on a fresh connection to an address.
func fetchAt(address, path string) (string, error) {
	network, at, _ := strings.Cut(address, "://")
	conn, err := (&net.Dialer{Timeout: patience}).Dial(network, at)
	if err != nil {
		return "", fmt.Errorf("connect: %w", err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(3 * patience))
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path)
	b, err := io.ReadAll(conn)
	if err != nil {
		return "", err
	}
	if len(b) == 0 {
		return "", io.EOF
	}
	if !strings.HasPrefix(string(b), "HTTP/1.1 200 ") {
		return "", fmt.Errorf("answered %q", b)
	}
	_, body, _ := strings.Cut(string(b), "\r\n\r\n")
	return body, nil
}

// notThere reports the errors of a client that nobody listens for.
func notThere(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, os.ErrNotExist)
}

// TestDroppedAddress: while old workers drain nobody hangs at an address that a
// reload, or a stop, has dropped: each client is answered or refused.
func TestDroppedAddress(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, second string
		reuse        bool
		command      string
	}{
		{"TCP", "tcp://127.0.0.1:0", false, "reload"},
		{"a socket a worker", "tcp://127.0.0.1:0", true, "reload"},
		{"Unix", "unix://PATH", false, "reload"},
		{"TCP, upgrade", "tcp://127.0.0.1:0", false, "upgrade"},
		{"TCP, stop", "tcp://127.0.0.1:0", false, "stop"},
		{"Unix, stop", "unix://PATH", false, "stop"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			second := strings.Replace(tt.second, "PATH", filepath.Join(runDir(t), "s"), 1)
			const stays = "tcp://127.0.0.1:0"
			s, set, release := startAddressed(t, tt.reuse, stays, second)
			st, _ := s.status()
			first, dropped := st.Programs[0].Addresses[0], st.Programs[0].Addresses[1]

			slow := make(chan error, 1)
			go func() {
				body, err := fetchAt(dropped, "/slow")
				if err == nil && body != "slow" {
					err = fmt.Errorf("the body is %q", body)
				}
				slow <- err
			}()
			s.wait("the slow request to be there", func(st status, _ int) bool {
				return st.Workers[0].Connections+st.Workers[1].Connections > 0
			})
			var answered, refused atomic.Int64
			var clients sync.WaitGroup
			stop := make(chan struct{})
			for range 2 {
				clients.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
						}
						switch _, err := fetchAt(dropped, "/"); {
						case err == nil:
							answered.Add(1)
						case tt.command == "stop" && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)): // a stop does not wait for who has asked nothing yet
						case notThere(err):
							refused.Add(1)
							time.Sleep(time.Millisecond)
						default:
							t.Errorf("a client of the dropped address: %v", err)
						}
					}
				})
			}
			eventually(t, "clients to be answered", func() bool { return answered.Load() > 10 })
			set(stays)
			ended := make(chan int, 1)
			go func() {
				_, code := s.command(tt.command)
				ended <- code
			}()
			eventually(t, "clients to be refused", func() bool { return refused.Load() > 10 })
			select {
			case err := <-slow:
				t.Errorf("the slow request has ended before it was released: %v", err)
			default:
			}
			close(stop)
			clients.Wait()
			if tt.command != "stop" {
				if body, err := fetchAt(first, "/"); err != nil || body != "ok" {
					t.Errorf("the address that stays: %q, %v", body, err)
				}
			}
			release()
			if code := <-ended; code != 0 {
				t.Errorf("%s: exit %d", tt.command, code)
			}
			if err := <-slow; err != nil {
				t.Errorf("the slow request: %v", err)
			}
		})
	}
}

// TestRemovedPath: the path of a listener's Unix socket is removed, or replaced,
// or its directory is. It is noticed, said, and made again; who waits in the queue
// of the old socket is answered, also by the next generation; what is somebody
// else's stays.
func TestRemovedPath(t *testing.T) {
	t.Parallel()
	dir := runDir(t)
	path := filepath.Join(dir, "sub", "s")
	if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	s, _, release := startAddressed(t, false, "unix://"+path)
	defer release()
	works := func(when string) {
		t.Helper()
		eventually(t, "answers "+when, func() bool { body, err := fetchAt("unix://"+path, "/"); return err == nil && body == "ok" })
		s.wait("the service runs "+when, func(st status, code int) bool { return code == 0 && len(st.Programs[0].Problems) == 0 })
	}
	ready := func() bool {
		_, err := control.NewClient(s.runDir).Get(t.Context(), "/readyz")
		return err == nil
	}
	works("at first")

	// Clients wait in the queue, for nobody accepts.
	stopped := s.workers()
	exampletest.Suspend(t, stopped...)
	results := make(chan error, 3)
	for range cap(results) {
		go func() { _, err := fetchAt("unix://"+path, "/"); results <- err }()
	}
	eventually(t, "the clients wait in the queue", func() bool {
		b, _ := os.ReadFile("/proc/net/unix")
		return strings.Count(string(b), path+"\n") >= 1+cap(results)
	})
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the path is made again", func() bool { _, err := os.Stat(path); return err == nil })
	exampletest.Resume(stopped...)
	for range cap(results) {
		if err := <-results; err != nil {
			t.Errorf("a client that waited in the queue: %v", err)
		}
	}
	works("after the removal")
	for _, change := range []string{"reload", "upgrade"} {
		os.Remove(path)
		if _, code := s.command(change); code != 0 {
			t.Errorf("%s after a removal: exit %d", change, code)
		}
		works("after a removal and a " + change)
	}

	// Somebody else listens there.
	other, err := replaceSocket(path)
	if err != nil {
		t.Fatal(err)
	}
	s.wait("status says so", func(st status, code int) bool {
		return code == 1 && st.State == "degraded" && len(st.Programs[0].Problems) == 1 && strings.Contains(st.Programs[0].Problems[0], "a live server listens on it")
	})
	if ready() {
		t.Error("readyz says that clients are served")
	}
	if out, code := s.command("reload"); code != 0 || !strings.Contains(out, "clients do not reach unix://"+path) {
		t.Errorf("a reload says that all is well: exit %d: %s", code, out)
	}
	if out, _ := s.command("check"); !strings.Contains(out, "clients do not reach unix://"+path) {
		t.Errorf("check does not say so: %s", out)
	}
	if c, err := net.Dial("unix", path); err != nil {
		t.Errorf("the stranger's socket was touched: %v", err)
	} else {
		c.Close()
	}
	eventually(t, "the log says so", func() bool { return strings.Contains(s.output.String(), "address is lost") })
	other.Close()
	os.Remove(path)
	works("when the stranger has gone")

	if err := os.RemoveAll(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	s.wait("status says that the directory is gone", func(st status, code int) bool {
		return code == 1 && len(st.Programs[0].Problems) == 1 && strings.Contains(st.Programs[0].Problems[0], "no such file")
	})
	if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	works("when the directory is there again")
	if !ready() {
		t.Error("readyz goes on saying that clients are not served")
	}
	s.command("stop")
	s.waitExit()
	if _, err := os.Stat(path); err == nil {
		t.Error("the path is left at the end")
	}
}

// TestReplacedControlSocket: the control socket is made again when somebody has
// put a dead one in its place, and a living one is left alone and told of.
func TestReplacedControlSocket(t *testing.T) {
	t.Parallel()
	s, _, release := startAddressed(t, false, "tcp://127.0.0.1:0")
	release()
	path := filepath.Join(s.runDir, "control.sock")
	other, err := replaceSocket(path)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the log says so", func() bool { return strings.Contains(s.output.String(), "a live server listens on it") })
	if c, err := net.Dial("unix", path); err != nil {
		t.Errorf("the stranger's socket was touched: %v", err)
	} else {
		c.Close()
	}
	other.(*net.UnixListener).SetUnlinkOnClose(false)
	other.Close() // the path stays and is dead
	eventually(t, "status is answered", func() bool { _, _, code := s.run("status"); return code == 0 })
}

// replaceSocket puts a socket of ours in the place of another, in one step.
func replaceSocket(path string) (net.Listener, error) {
	ln, err := net.Listen("unix", path+".x")
	if err != nil {
		return nil, err
	}
	return ln, os.Rename(path+".x", path)
}
