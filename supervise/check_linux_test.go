package supervise

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"golang.org/x/sys/unix"

	"github.com/jay-go/jay/internal/addr"
)

// kernel is a root directory with what the checker reads of the kernel in it.
func kernel(t *testing.T, files map[string]string) string {
	t.Helper()
	tree := fstest.MapFS{}
	for file, text := range files {
		tree[file] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	root := t.TempDir()
	if err := os.CopyFS(root, tree); err != nil {
		t.Fatal(err)
	}
	return root
}

// checkProgram is a program that nothing is wrong with.
func checkProgram(change func(p *Program)) Program {
	p := Program{
		Name: "web", Listen: []string{"tcp://127.0.0.1:0"}, Count: 2,
		Run: func(context.Context, *Worker) error { return nil },
	}
	change(&p)
	return p
}

// TestCheckLimits: what the kernel allows is held against what programs ask for.
func TestCheckLimits(t *testing.T) {
	t.Setenv("GOMEMLIMIT", "")
	const (
		group  = "proc/self/cgroup"
		mounts = "proc/self/mountinfo"
		limit  = "cg/memory.max"
		mount  = "41 31 0:38 / /cg rw - cgroup2 cgroup2 rw\n"
	)
	for _, tt := range []struct {
		name    string
		look    func(k *checker)
		files   map[string]string
		nofile  uint64
		program func(p *Program)
		memory  int64
		want    []string // "level: text"; a text that begins with "do" is a fix
	}{
		{
			"backlog within somaxconn", (*checker).checkQueues, map[string]string{"proc/sys/net/core/somaxconn": "4096\n"}, 0, func(*Program) {}, 0,
			[]string{"ok: a backlog of 1024; the kernel allows 4096 (net.core.somaxconn)"},
		},
		{
			"backlog above somaxconn", (*checker).checkQueues, map[string]string{"proc/sys/net/core/somaxconn": "128\n"}, 0, func(p *Program) { p.Backlog = 2000 }, 0,
			[]string{
				"warning: web asks for a backlog of 2000, which the kernel cuts to 128 (net.core.somaxconn)",
				"do: sysctl -w net.core.somaxconn=2000, and the line net.core.somaxconn = 2000 in /etc/sysctl.d/jay.conf",
			},
		},
		{
			"few handshakes without cookies", (*checker).checkQueues,
			map[string]string{"proc/sys/net/core/somaxconn": "4096", "proc/sys/net/ipv4/tcp_max_syn_backlog": "512", "proc/sys/net/ipv4/tcp_syncookies": "0"}, 0, func(*Program) {}, 0,
			[]string{
				"warning: web asks for a backlog of 1024, but without SYN cookies only 512 handshakes may be under way",
				"do: sysctl -w net.ipv4.tcp_syncookies=1, and the line net.ipv4.tcp_syncookies = 1 in /etc/sysctl.d/jay.conf",
				"do: sysctl -w net.ipv4.tcp_max_syn_backlog=1024, and the line net.ipv4.tcp_max_syn_backlog = 1024 in /etc/sysctl.d/jay.conf",
			},
		},
		{
			"few handshakes with cookies", (*checker).checkQueues,
			map[string]string{"proc/sys/net/core/somaxconn": "4096", "proc/sys/net/ipv4/tcp_max_syn_backlog": "512", "proc/sys/net/ipv4/tcp_syncookies": "1"}, 0, func(*Program) {}, 0,
			[]string{"ok: a backlog of 1024; the kernel allows 4096 (net.core.somaxconn)"},
		},
		{"datagrams have no queue of that kind", (*checker).checkQueues, map[string]string{"proc/sys/net/core/somaxconn": "1"}, 0, func(p *Program) { p.Listen = []string{"udp://127.0.0.1:0"} }, 0, nil},
		{"nothing is known", (*checker).checkQueues, nil, 0, func(*Program) {}, 0, nil},

		{"enough descriptors", (*checker).checkDescriptors, nil, 1024, func(p *Program) { p.Descriptors = 1000 }, 0, []string{"ok: 1024 in each process (hard limit of RLIMIT_NOFILE)"}},
		{
			"a worker wants more than it may have", (*checker).checkDescriptors, nil, 1024, func(p *Program) { p.Descriptors = 50000 }, 0,
			[]string{
				"warning: a worker of web wants 50000 (its connections, and some for the rest) and may have 1024 (RLIMIT_NOFILE)",
				"do: in a systemd unit: LimitNOFILE=50000", "do: as root, in the shell that starts it: ulimit -Hn 50000", "do: for a container: docker run --ulimit nofile=50000:50000",
			},
		},
		{
			"more than the kernel lets anybody have", (*checker).checkDescriptors, map[string]string{"proc/sys/fs/nr_open": "40000"}, 1024, func(p *Program) { p.Descriptors = 50000 }, 0,
			[]string{
				"warning: a worker of web wants 50000 (its connections, and some for the rest) and may have 1024 (RLIMIT_NOFILE)",
				"do: sysctl -w fs.nr_open=50000, and the line fs.nr_open = 50000 in /etc/sysctl.d/jay.conf; then in a systemd unit: LimitNOFILE=50000",
				"do: sysctl -w fs.nr_open=50000, and the line fs.nr_open = 50000 in /etc/sysctl.d/jay.conf; then as root, in the shell that starts it: ulimit -Hn 50000",
				"do: sysctl -w fs.nr_open=50000, and the line fs.nr_open = 50000 in /etc/sysctl.d/jay.conf; then for a container: docker run --ulimit nofile=50000:50000",
			},
		},
		{
			"more than the machine has", (*checker).checkDescriptors, map[string]string{"proc/sys/fs/file-max": "1500"}, 1024, func(p *Program) { p.Descriptors = 1000 }, 0,
			[]string{
				"warning: all processes together want 2031 open files, and the machine has 1500 (fs.file-max)",
				"do: sysctl -w fs.file-max=4062, and the line fs.file-max = 4062 in /etc/sysctl.d/jay.conf",
			},
		},
		{
			"the master has too few for a reload", (*checker).checkDescriptors, nil, 600, func(p *Program) { p.Count = 100 }, 0,
			[]string{
				"warning: the master needs 629 in a reload or an upgrade, when there are twice 100 workers, and may have 600 (RLIMIT_NOFILE): they may be refused",
				"do: in a systemd unit: LimitNOFILE=930", "do: as root, in the shell that starts it: ulimit -Hn 930", "do: for a container: docker run --ulimit nofile=930:930",
			},
		},
		{
			"the master has too few", (*checker).checkDescriptors, nil, 400, func(p *Program) { p.Count, p.ReusePort = 100, true }, 0,
			[]string{
				"error: the master needs 424 for 100 workers, and may have 400 (RLIMIT_NOFILE)",
				"do: in a systemd unit: LimitNOFILE=1029", "do: as root, in the shell that starts it: ulimit -Hn 1029", "do: for a container: docker run --ulimit nofile=1029:1029",
			},
		},

		{
			"memory without a limit", (*checker).checkMemory, map[string]string{"proc/meminfo": "MemTotal:       16777216 kB\nMemFree: 1 kB\n"}, 0, func(*Program) {}, 0,
			[]string{"ok: no limit of a control group (the machine has 16.0G); the workers get no GOMEMLIMIT"},
		},
		{"memory that is not to be limited", (*checker).checkMemory, nil, 0, func(*Program) {}, -1, []string{"ok: the workers get no GOMEMLIMIT (--memory-limit off)"}},
		{
			"memory of the flag", (*checker).checkMemory, nil, 0, func(*Program) {}, 1000 << 20,
			[]string{"ok: 1000.0M (--memory-limit): GOMEMLIMIT is 450.0M in each of 2 workers"},
		},
		{
			"memory for too many", (*checker).checkMemory, map[string]string{group: "0::/", mounts: mount, limit: "134217728"}, 0, func(p *Program) { p.Count = 8 }, 0,
			[]string{
				"warning: 128.0M (ROOT/cg) is little for 8 workers: 12.0M each, and none gets along with less than 16.0M",
				"do: --workers 6", "do: give the service more: MemoryMax= in a systemd unit, docker run --memory",
			},
		},
		{
			"MaxRSS above what there is", (*checker).checkMemory, map[string]string{group: "0::/", mounts: mount, limit: "1048576000"}, 0, func(p *Program) { p.MaxRSS = 600 << 20 }, 0,
			[]string{
				"warning: MaxRSS of web is 600.0M, but if all 2 workers took that, the kernel would kill at 1000.0M (ROOT/cg)",
				"do: a MaxRSS of at most 450.0M", "do: fewer workers, or more memory for the service",
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := kernel(t, tt.files)
			k := &checker{root: root, limits: limits{unix.RLIMIT_NOFILE: tt.nofile}, c: &config{memory: tt.memory, programs: []Program{checkProgram(tt.program)}}}
			tt.look(k)
			if got := told(k, root); !slices.Equal(got, tt.want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(tt.want, "\n  "))
			}
		})
	}
}

// told are the findings as lines, with ROOT in the place of the root directory.
func told(k *checker, root string) []string {
	var lines []string
	for _, f := range k.findings {
		lines = append(lines, string(f.level)+": "+strings.ReplaceAll(f.found, root, "ROOT"))
		for _, fix := range f.fixes {
			lines = append(lines, "do: "+fix)
		}
	}
	return lines
}

// TestCheckUserLimit: a GOMEMLIMIT of the user's stays, and is held against the group.
func TestCheckUserLimit(t *testing.T) {
	root := kernel(t, map[string]string{
		"proc/self/cgroup": "0::/", "proc/self/mountinfo": "41 31 0:38 / /cg rw - cgroup2 cgroup2 rw\n", "cg/memory.max": "1073741824",
	})
	for value, want := range map[string]string{
		"400MiB": "ok: GOMEMLIMIT=400MiB of the environment stays as it is",
		"off":    "ok: GOMEMLIMIT=off of the environment stays as it is",
		"600MiB": "warning: GOMEMLIMIT=600MiB in each of 2 workers is more than the 1.0G of ROOT/cg",
	} {
		t.Setenv("GOMEMLIMIT", value)
		k := &checker{root: root, c: &config{programs: []Program{checkProgram(func(*Program) {})}}}
		k.checkMemory()
		if got := told(k, root); len(got) == 0 || got[0] != want {
			t.Errorf("%s: %q, want %q first", value, got, want)
		}
	}
}

// TestSocketUsers: whoever has a socket is found through the tables of the kernel.
func TestSocketUsers(t *testing.T) {
	root := kernel(t, map[string]string{
		"proc/net/tcp": "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n" +
			"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0 100 0 0 10 0\n" +
			"   1: 0100007F:1F90 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 222 1 0 100 0 0 10 0\n" +
			"   2: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1 0 100 0 0 10 0\n",
		"proc/net/udp6": "   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 07 0:0 00:0 0 0 0 444 2 0 0\n",
		"proc/net/unix": "Num       RefCount Protocol Flags    Type St Inode Path\n0: 00000002 00000000 00010000 0001 01 555 /run/x.sock\n",
		"proc/10/comm":  "first\n", "proc/20/comm": "second\n", "proc/30/comm": "third\n", "proc/40/comm": "fourth\n", "proc/50/comm": "fifth\n",
	})
	for file, inode := range map[string]int{"10/fd/3": 111, "20/fd/4": 222, "20/fd/5": 444, "30/fd/6": 555, "10/fd/9": 555, "40/fd/9": 555, "50/fd/9": 555} {
		link := filepath.Join(root, "proc", file)
		if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(fmt.Sprintf("socket:[%d]", inode), link); err != nil {
			t.Fatal(err)
		}
	}
	for address, want := range map[string]string{
		"tcp://127.0.0.1:8080": "first (pid 10)",
		"udp://127.0.0.1:8080": "second (pid 20)",
		"tcp://127.0.0.1:80":   "another process, which only root may see",
		"unix:///run/x.sock":   "first (pid 10), third (pid 30), fourth (pid 40) and 1 more",
	} {
		k := &checker{root: root}
		if got := k.users(mustParse(t, address)); got != want {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
}

// TestPermissions: who may do what with a file, as the kernel has it.
func TestPermissions(t *testing.T) {
	for _, tt := range []struct {
		name string
		mode uint32
		cred syscall.Credential
		want uint32
	}{
		{"owner", 0o754, syscall.Credential{Uid: 1, Gid: 9}, 7},
		{"owner, whatever others may", 0o077, syscall.Credential{Uid: 1, Gid: 2}, 0},
		{"group", 0o754, syscall.Credential{Uid: 9, Gid: 2}, 5},
		{"further group", 0o754, syscall.Credential{Uid: 9, Gid: 9, Groups: []uint32{8, 2}}, 5},
		{"others", 0o754, syscall.Credential{Uid: 9, Gid: 9}, 4},
		{"root", 0o010, syscall.Credential{Uid: 0}, 7},
		{"root, and nobody may execute it", 0o666, syscall.Credential{Uid: 0}, 6},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := permissions(&syscall.Stat_t{Mode: syscall.S_IFREG | tt.mode, Uid: 1, Gid: 2}, &tt.cred); got != tt.want {
				t.Errorf("mode %#o gives %#o, want %#o", tt.mode, got, tt.want)
			}
		})
	}
}

// TestPrintFindings: what it looks like.
func TestPrintFindings(t *testing.T) {
	var b strings.Builder
	printFindings(&b, []finding{
		{checkOK, "log", "standard error", nil},
		{checkError, "address", "tcp://127.0.0.1:80 \x1b[2J is in use", []string{"stop that", "--listen 127.0.0.1:0"}},
	}, false)
	want := `ok       log      standard error
error    address  tcp://127.0.0.1:80 \x1b[2J is in use
                  to do: stop that
                     or: --listen 127.0.0.1:0
`
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
	b.Reset()
	printFindings(&b, []finding{{checkWarning, "user", "root", nil}}, true)
	if got, want := b.String(), "\x1b[33mwarning\x1b[0m  user  root\n"; got != want {
		t.Errorf("in colour %q, want %q", got, want)
	}
}

func mustParse(t *testing.T, text string) addr.Addr {
	t.Helper()
	a, err := addr.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
