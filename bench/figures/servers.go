package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/jay-go/jay/bench/internal/inuse"
)

// A server is one of those that are measured.
type server struct {
	name  string
	start func(context.Context, *bench) (*process, error)
	inUse bool // answers inuse.Path
}

var (
	jay              = server{"jay", startJayProgram("jay"), true}
	jayTwoLoops      = server{"jay", startJayOn(bothCores, "jay", "--workers", "1", "--loops", "2"), true}
	jayTwoWorkers    = server{"two workers", startJayOn(bothCores, "jay", "--workers", "2", "--loops", "1"), true}
	netHTTP          = server{"net/http", program("nethttp"), true}
	fastHTTP         = server{"fasthttp", program("fasthttp"), true}
	nginx            = server{"nginx", startNginx, false}
	floorEachRead    = server{"floor", startFloor("answer", "each-read"), false}
	floorEachRequest = server{"floor", startFloor("answer", "each-request"), false}
	floorEachConn    = server{"floor", startFloor("last-answer", "each-connection"), false}
)

//go:embed floor/floor.c
var floorSource []byte

// A bench is the folder with everything that was built for measuring.
type bench struct {
	dir  string
	sink string // where proxies carry to; see carry
}

func newBench(ctx context.Context) (*bench, error) {
	dir, err := os.MkdirTemp("", "jay-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{dir: dir}
	if err := b.build(ctx); err != nil {
		b.remove()
		return nil, err
	}
	return b, nil
}

func (b *bench) remove() { os.RemoveAll(b.dir) }

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

func (b *bench) build(ctx context.Context) error {
	if err := os.WriteFile(b.path("floor.c"), floorSource, 0o600); err != nil {
		return err
	}
	for _, argv := range [][]string{
		{"gcc", "-O2", "-o", b.path("floor"), b.path("floor.c")},
		{"go", "build", "-o", b.dir + "/", "./servers/...",
			"github.com/jay-go/jay/examples/tcpproxy", "github.com/jay-go/jay/examples/resp"},
	} {
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", cmd, err, out)
		}
	}
	return b.recordAnswer(ctx)
}

// recordAnswer keeps jay's answer byte for byte: the floor sends the same.
func (b *bench) recordAnswer(ctx context.Context) error {
	p, err := jay.start(ctx, b)
	if err != nil {
		return err
	}
	defer p.stop()
	conn, err := net.Dial("tcp", p.addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	answer, err := exchange(conn, "/")
	if err != nil {
		return err
	}
	last := bytes.Replace(answer, []byte("\r\n"), []byte("\r\nConnection: close\r\n"), 1)
	return errors.Join(os.WriteFile(b.path("answer"), answer, 0o600), os.WriteFile(b.path("last-answer"), last, 0o600))
}

func startFloor(answer, mode string) func(context.Context, *bench) (*process, error) {
	return func(ctx context.Context, b *bench) (*process, error) {
		return startTelling(ctx, b.path("floor"), b.path(answer), mode)
	}
}

func program(name string) func(context.Context, *bench) (*process, error) {
	return func(ctx context.Context, b *bench) (*process, error) {
		return startTelling(ctx, b.path(name))
	}
}

// startJayProgram starts one worker of a program of jay under its master, as a
// user would.
func startJayProgram(name string, flags ...string) func(context.Context, *bench) (*process, error) {
	return startJayOn(serverCore, name, append(flags, "--workers", "1")...)
}

func startJayOn(cores, name string, flags ...string) func(context.Context, *bench) (*process, error) {
	return func(ctx context.Context, b *bench) (*process, error) {
		runDir, err := os.MkdirTemp(b.dir, "run-")
		if err != nil {
			return nil, err
		}
		argv := []string{b.path(name), "start", "-q", "--log-level", "warn", "--listen", "tcp://127.0.0.1:0", "--run-dir", runDir}
		p, err := startOn(ctx, cores, os.Stderr, append(argv, flags...)...)
		if err != nil {
			return nil, err
		}
		if p.addr, err = jayAddress(ctx, b.path(name), runDir); err != nil {
			p.stop()
			return nil, err
		}
		return p, nil
	}
}

// jayAddress asks until every worker is ready.
func jayAddress(ctx context.Context, binary, runDir string) (string, error) {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline) && ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		out, err := exec.CommandContext(ctx, binary, "status", "--json", "--run-dir", runDir).Output()
		if err != nil {
			continue // not running yet, or not yet ready
		}
		var status struct {
			Programs []struct{ Addresses []string }
		}
		if err := json.Unmarshal(out, &status); err != nil {
			return "", fmt.Errorf("status --json of jay: %w\n%s", err, out)
		}
		return strings.TrimPrefix(status.Programs[0].Addresses[0], "tcp://"), nil
	}
	return "", errors.New("jay was not ready within 10 s")
}

const nginxConfig = `
daemon off; worker_processes 1; pid %[1]s/nginx.pid; error_log stderr crit; worker_rlimit_nofile 20000;
events { worker_connections 15000; }
http {
	access_log off; keepalive_requests 1000000000; keepalive_timeout 3600; default_type text/plain;
	client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
	server { listen %[2]s backlog=1024; location / { return 200 "Hello, World!"; } }
}`

// startNginx picks a free port itself, since nginx cannot say which one it got.
func startNginx(ctx context.Context, b *bench) (*process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	config := b.path("nginx.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, nginxConfig, b.dir, addr), 0o600); err != nil {
		return nil, err
	}
	return startAccepting(ctx, addr, "nginx", "-p", b.dir, "-e", "stderr", "-c", config)
}

// readInUse asks a server for its memory over a connection of its own.
func readInUse(addr string) (float64, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	answer, err := exchange(conn, inuse.Path)
	if err != nil {
		return 0, err
	}
	_, body, _ := strings.Cut(string(answer), "\r\n\r\n")
	var bytes float64
	if _, err := fmt.Sscan(body, &bytes); err != nil {
		return 0, fmt.Errorf("answer to %s: %w\n%s", inuse.Path, err, answer)
	}
	return bytes, nil
}
