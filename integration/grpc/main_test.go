package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/jay-go/jay/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// begin starts the program and returns its address. The end of the test stops it.
func begin(t *testing.T) (addr string, command func(...string) error, master *exec.Cmd) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "grpc")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	t.Setenv("JAY_RUN_DIR", runDir(t))
	master = exec.Command(binary, "start", "-q", "--listen", "tcp://127.0.0.1:0", "--workers", "2")
	master.Stderr = os.Stderr
	if err := master.Start(); err != nil {
		t.Fatal(err)
	}
	command = func(args ...string) error {
		out, err := exec.Command(binary, args...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%v: %w: %s", args, err, out)
		}
		return nil
	}
	t.Cleanup(func() {
		if master.ProcessState == nil {
			command("stop")
			master.Wait()
		}
	})
	return address(t, binary), command, master
}

// call asks for the health of a service.
func call(ctx context.Context, conn *grpc.ClientConn, service string) (*grpc_health_v1.HealthCheckResponse, error) {
	return grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: service})
}

// dial makes a client. It connects at the first call.
func dial(addr string) *grpc.ClientConn {
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		panic(err) // not one of the network
	}
	return conn
}

// TestCallsAndStop: calls reach the workers, and the program ends in order.
func TestCallsAndStop(t *testing.T) {
	addr, command, master := begin(t)
	conn := dial(addr)
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for range 100 {
		answer, err := call(ctx, conn, "")
		if err != nil || answer.Status != grpc_health_v1.HealthCheckResponse_SERVING {
			t.Fatalf("check: %v, %v", answer, err)
		}
	}
	if err := command("stop"); err != nil {
		t.Error(err)
	}
	if err := master.Wait(); err != nil {
		t.Errorf("the stopped master: %v", err)
	}
}

// TestCallsAcrossReloads: no call fails, whether it is under way when the
// worker is replaced or begins just then.
func TestCallsAcrossReloads(t *testing.T) {
	addr, command, _ := begin(t)
	conn := dial(addr)
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var callers sync.WaitGroup
	done := make(chan struct{})
	repeat := func(service string) (calls int) {
		for {
			select {
			case <-done:
				return calls
			default:
			}
			if _, err := call(ctx, conn, service); err != nil {
				t.Errorf("call %d of service %q: %v", calls, service, err)
				return calls
			}
			calls++
		}
	}
	for _, service := range []string{"", "", "slow", "slow", "slow", "slow"} {
		callers.Go(func() {
			if calls := repeat(service); calls < 3 {
				t.Errorf("%d calls of service %q", calls, service)
			}
		})
	}
	for _, change := range []string{"reload", "upgrade", "reload"} {
		if err := command(change); err != nil {
			t.Error(err)
		}
	}
	close(done)
	callers.Wait()
}

// TestConnectionsAcrossReloads: no connection fails that a client makes while
// workers are replaced.
func TestConnectionsAcrossReloads(t *testing.T) {
	addr, command, _ := begin(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	done := make(chan struct{})
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				conn := dial(addr)
				_, err := call(ctx, conn, "")
				conn.Close()
				if err != nil {
					t.Errorf("connection %d: %v", n, err)
					return
				}
			}
		})
	}
	for range 10 {
		if err := command("reload"); err != nil {
			t.Error(err)
		}
	}
	close(done)
	callers.Wait()
}

// address waits until the workers are ready.
func address(t *testing.T, binary string) string {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		out, err := exec.Command(binary, "status", "--json").Output()
		if err != nil {
			continue
		}
		var status struct {
			Programs []struct{ Addresses []string }
		}
		if err := json.Unmarshal(out, &status); err != nil {
			t.Fatalf("status --json: %v\n%s", err, out)
		}
		return strings.TrimPrefix(status.Programs[0].Addresses[0], "tcp://")
	}
	t.Fatal("the workers are not ready")
	return ""
}

// runDir has a name short enough for a socket in it.
func runDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "jay-run-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
