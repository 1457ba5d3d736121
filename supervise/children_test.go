//go:build linux

package supervise_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/jay-go/jay/internal/needs"
	"github.com/jay-go/jay/supervise"
)

// childScript says what a program finds that user code of a service starts.
const childScript = `
grep -E '^Sig(Blk|Ign)' /proc/self/status
echo soft $(ulimit -Sn)
echo descriptors $(ls /proc/self/fd)
env | grep -E '^(JAY_BOOT|GOMEMLIMIT|NOTIFY_SOCKET|LISTEN_)'
seq 1 1000000 | head -1 >/dev/null; echo pipe ${PIPESTATUS[0]}
echo end
`

const wantChild = `SigBlk:	0000000000000000
SigIgn:	0000000000000000
soft 200
descriptors 0 1 2 3
pipe 141
end
`

// kernelServices are services for tests of what is between a service and the
// kernel: signals, children, descriptors.
func kernelServices() map[string]func() *supervise.Options {
	return map[string]func() *supervise.Options{
		"children": childOptions, "slow hooks": slowHooks, "commands": commandsOptions, "greedy": greedyOptions, "many": manyOptions, "slow stop": slowStop,
		"asking": askingOptions, "slow main": slowMain,
	}
}

// ignoreVariable has a service ignore signals, as one does that make has started.
const ignoreVariable = "SUPERVISE_TEST_IGNORE"

// ignoreReserved is called before main of a service.
func ignoreReserved() {
	if os.Getenv(ignoreVariable) == "" {
		return
	}
	os.Unsetenv(ignoreVariable)
	ignore := [16]uintptr{1} // SIG_IGN
	for s := range uintptr(3) {
		_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, 32+s, uintptr(unsafe.Pointer(&ignore)), 0, 8, 0, 0)
		if errno != 0 {
			panic(errno)
		}
	}
}

func runChild() string {
	out, err := exec.Command("bash", "-c", childScript).CombinedOutput()
	if err != nil {
		return fmt.Sprint(string(out), err)
	}
	return string(out)
}

// childOptions are a service that starts programs in its worker, and in a hook of
// its master: there, and on a goroutine of its own.
func childOptions() *supervise.Options {
	p := httpProgram()
	p.Count = 1
	p.Run = func(ctx context.Context, w *supervise.Worker) error {
		answer := func(rw http.ResponseWriter, r *http.Request) { fmt.Fprint(rw, runChild()) }
		return supervise.DrainHTTP(ctx, w, &http.Server{Handler: http.HandlerFunc(answer)})
	}
	o := options(p)
	o.MemoryLimit = 1 << 30
	o.OnMasterReload = func() {
		out := runChild()
		other := make(chan string)
		go func() { other <- runChild() }()
		for _, text := range []string{out, <-other} {
			f, err := os.OpenFile(os.Getenv("OUT"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
			if err != nil {
				panic(err)
			}
			fmt.Fprint(f, text)
			f.Close()
		}
	}
	return o
}

// TestWhatChildrenFind: programs that workers and hooks start have no signal
// ignored or blocked, the limit of descriptors of whoever started the service, no
// descriptor of it and none of its variables; also after an upgrade, and although
// the service was started with signals ignored.
func TestWhatChildrenFind(t *testing.T) {
	t.Parallel()
	bash := needs.Program(t, "bash")
	out := filepath.Join(t.TempDir(), "out")
	s := newService(t, "children", "OUT="+out, ignoreVariable+"=yes")
	cmd := s.command("start")
	cmd.Args = append([]string{bash, "-c", `trap "" PIPE USR1 ALRM TTIN TTOU; ulimit -Sn 200; exec "$0" "$@" 9</dev/null`}, cmd.Args...)
	cmd.Path = bash
	s.background(cmd)
	eventually(t, "the service is ready", func() bool { return logged("\nready\n", 1)(s) })
	var want string
	for i, change := range []string{"", "reload", "upgrade", "upgrade"} {
		if change != "" {
			s.must(change)
			want += wantChild + wantChild
			eventually(t, "the hook has run", func() bool { b, _ := os.ReadFile(out); return strings.Count(string(b), "\nend\n") >= 2*i })
		}
		if body, err := get(s.addr(), "/"); err != nil || body != wantChild {
			t.Errorf("worker, after %q: %v\n%s\nwant\n%s", change, err, body, wantChild)
		}
	}
	if b, err := os.ReadFile(out); string(b) != want || err != nil {
		t.Errorf("hooks: %v\n%s\nwant\n%s", err, b, want)
	}
	s.cmd.Process.Signal(syscall.SIGTERM)
	<-s.exited
}

// TestUpgradeWaitsForHooks: an upgrade does not cut a hook that runs, nor drop
// one that waits.
func TestUpgradeWaitsForHooks(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "out")
	s := newService(t, "slow hooks", "OUT="+out).start()
	for i := range 3 {
		syscall.Kill(s.pids()[0], syscall.SIGKILL)
		eventually(t, "it is replaced", func() bool { st := s.status(); return st.State == "running" && st.Programs[0].Restarts == i+1 })
	}
	s.must("upgrade")
	eventually(t, "every exit has been told of, once", func() bool {
		b, _ := os.ReadFile(out)
		return strings.Count(string(b), "killed\n") == 3 && strings.Count(string(b), "exit 0\n") == 2
	})
}

// slowHooks takes its time over each exit of a worker.
func slowHooks() *supervise.Options {
	o := options(httpProgram())
	o.OnWorkerExit = func(e supervise.WorkerExit) {
		exec.Command("sleep", "0.3").Run()
		f, err := os.OpenFile(os.Getenv("OUT"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			panic(err)
		}
		defer f.Close()
		fmt.Fprintln(f, e.Cause)
	}
	return o
}
