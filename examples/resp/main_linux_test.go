package main

import (
	"context"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/exampletest"
	"github.com/jay-go/jay/internal/needs"
	"github.com/jay-go/jay/internal/reset"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

// run runs a program to its end and returns what it prints.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*exampletest.Patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, needs.Program(t, name), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func port(t *testing.T, s *exampletest.Service) string {
	t.Helper()
	_, port, err := net.SplitHostPort(s.Addr("resp"))
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func TestRedisCLI(t *testing.T) {
	at := port(t, exampletest.Start(t))
	for _, tt := range []struct{ command, want string }{
		{"set greeting hello ex 10000", "OK"},
		{"get greeting", "hello"},
		{"strlen greeting", "5"},
		{"get nothing", ""},
		{"incrby n 5", "5"},
		{"mget greeting n nothing", "hello\n5\n"},
		{"dbsize", "2"},
		{"config get save", "save\n"},
		{"get", "ERR wrong number of arguments for 'get' command\n"},
		{"flushall", "OK"},
		{"exists greeting", "0"},
	} {
		args := append([]string{"-p", at}, strings.Fields(tt.command)...)
		if got := run(t, "redis-cli", args...); got != tt.want+"\n" {
			t.Errorf("redis-cli %s prints %q, want %q", tt.command, got, tt.want+"\n")
		}
	}
}

// TestRedisBenchmark: it ends at the first error reply.
func TestRedisBenchmark(t *testing.T) {
	at := port(t, exampletest.Start(t))
	for _, pipeline := range []string{"1", "16"} {
		out := run(t, "redis-benchmark", "-p", at, "-t", "ping,set,get,incr,mset", "-n", "5000", "-r", "100", "-P", pipeline, "-q")
		for _, name := range []string{"PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", `MSET \(10 keys\)`} {
			if !regexp.MustCompile(name + `: [1-9][\d.]* requests per second`).MatchString(out) {
				t.Errorf("pipeline %s: no figure for %s in\n%s", pipeline, name, out)
			}
		}
		if strings.Contains(out, "WARNING") || strings.Contains(out, "Error") {
			t.Errorf("pipeline %s: it complains:\n%s", pipeline, out)
		}
	}
}

// asked are requests, as lines, whose replies are Redis's byte for byte.
const asked = `PING
PING hello
PING a b
ECHO hello
ECHO
SET k v
GET k
get K
GeT k
GET none
SET k w NX
GET k
SET k x XX
GET k
SET none x XX
SET new x NX
SET k v NX XX
SET k v XX NX
SET k v EX
SET k v EX 0
SET k v EX -1
SET k v EX nan
SET k v EX 9223372036854775807
SET k v PX 9223372036854775807
SET k v EX 10 PX 10
SET k v WHAT
SET k
TTL k
TTL none
SET k v EX 100
TTL k
EXPIRE k 200
TTL k
EXPIRE none 1
EXPIRE k nan
EXPIRE k 9223372036854775807
EXPIRE k 0
EXISTS k
SET k 007
INCR k
SET k +1
INCR k
SET k 1_0
INCR k
SET k -0
INCR k
SET k 9223372036854775807
INCR k
DECR k
INCRBY k -9223372036854775807
DECRBY k -9223372036854775808
DECRBY k 9223372036854775807
DECRBY k 2
DECR k
DECR k
INCRBY k 1.5
INCRBY none nan
EXISTS none
INCR n
INCRBY n 41
APPEND a hello
APPEND a world
GET a
STRLEN a
STRLEN none
MSET x 1 y 2
MSET x
MSET x 1 y
MGET x y none
DEL x y none x
EXISTS a a none
DBSIZE
CONFIG GET save
CONFIG GET appendonly
CONFIG GET nonsense
CONFIG WHAT
CONFIG
WHAT
what is this
WHAT 0123456789012345678901234567890123456789012345678901234567890123456789 0123456789012345678901234567890123456789012345678901234567890123456789 x
CONFIG GET
CONFIG GET databases
HELLO 4
HELLO x
HELLO 3 WHAT
HELLO 2 SETNAME
HELLO 2 AUTH me x
AUTH x
AUTH default x
AUTH me x
AUTH
AUTH a b c
SELECT 0
SELECT 1
SELECT x
SELECT -1
CLIENT
CLIENT WHAT
CLIENT GETNAME
CLIENT SETNAME a
CLIENT GETNAME
CLIENT SETNAME
CLIENT INFO x
CLIENT NO-EVICT on
CLIENT NO-EVICT what
COMMAND WHAT
COMMAND DOCS WHAT
COMMAND INFO WHAT
INFO keyspace
INFO what
RESET
CLIENT GETNAME
FLUSHALL WHAT
FLUSHALL ASYNC
DBSIZE
FLUSHALL
QUIT
`

// TestAgainstRedis: the same stream gets the same answer, whole and in pieces.
func TestAgainstRedis(t *testing.T) {
	redis, ours := startRedis(t), exampletest.Start(t).Addr("resp")
	stream := strings.ReplaceAll(asked, "\n", "\r\n")
	want := talk(t, "unix", redis, stream)
	if got := talk(t, "tcp", ours, stream); got != want {
		gotLines, wantLines := strings.Split(got, "\r\n"), strings.Split(want, "\r\n")
		for i := range min(len(gotLines), len(wantLines)) {
			if gotLines[i] != wantLines[i] {
				t.Fatalf("line %d of the answers, after %q: %q, Redis says %q", i, wantLines[max(0, i-3):i], gotLines[i], wantLines[i])
			}
		}
		t.Fatalf("%d lines of answers, Redis gives %d", len(gotLines), len(wantLines))
	}
	for _, wrong := range []string{"*1\r\n:1\r\n", "*x\r\n", "*1\r\n$x\r\n", "*1\r\n$-1\r\n"} {
		want := talk(t, "unix", redis, wrong)
		if got := talk(t, "tcp", ours, wrong); got != want {
			t.Errorf("%q is answered with %q, by Redis with %q", wrong, got, want)
		}
	}
}

// talk sends a stream and returns all that comes until the server closes.
func talk(t *testing.T, network, addr, stream string) string {
	t.Helper()
	c, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer reset.Close(c)
	_ = c.SetDeadline(time.Now().Add(exampletest.Patience))
	if _, err := io.WriteString(c, stream); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("after %q: %v", all, err)
	}
	return string(all)
}

// TestLargeValue: the longest value goes in and comes out again, in one piece
// and ten at a time.
func TestLargeValue(t *testing.T) {
	addr := exampletest.Start(t).Addr("resp")
	value := strings.Repeat("0123456789abcdef", maxBulk/16)
	set, _ := codec{}.Append(nil, requestOf("SET", "k", value))
	want := "+OK\r\n" + strings.Repeat(string(appendBulk(nil, []byte(value))), 10) + "+OK\r\n"
	got := talk(t, "tcp", addr, string(set)+strings.Repeat("GET k\r\n", 10)+"QUIT\r\n")
	if got != want {
		t.Errorf("%d bytes came, want %d", len(got), len(want))
	}
}

// startRedis runs redis-server on a Unix socket until the test ends.
func startRedis(t *testing.T) (socket string) {
	t.Helper()
	dir := t.TempDir()
	socket = filepath.Join(dir, "redis")
	cmd := exec.Command(needs.Program(t, "redis-server"), "--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "", "--appendonly", "no", "--databases", "1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed: no more is to be known
	})
	for end := time.Now().Add(exampletest.Patience); ; time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial("unix", socket)
		if err == nil {
			c.Close()
			return socket
		}
		if time.Now().After(end) {
			t.Fatalf("redis-server: %v", err)
		}
	}
}
