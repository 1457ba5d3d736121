package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/jay-go/jay/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// TestCallsAndStop: calls reach the workers; one that is under way when the
// service stops is ended in order, and so is the program.
func TestCallsAndStop(t *testing.T) {
	dir := t.TempDir()
	binary := filepath.Join(dir, "grpc")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	t.Setenv("JAY_RUN_DIR", runDir(t))
	master := exec.Command(binary, "start", "-q", "--listen", "tcp://127.0.0.1:0", "--workers", "2")
	master.Stderr = os.Stderr
	if err := master.Start(); err != nil {
		t.Fatal(err)
	}
	stop := func() error { return exec.Command(binary, "stop").Run() }
	defer master.Wait()
	defer stop()

	conn, err := grpc.NewClient("passthrough:///"+address(t, binary), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := grpc_health_v1.NewHealthClient(conn)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for range 100 {
		answer, err := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{})
		if err != nil || answer.Status != grpc_health_v1.HealthCheckResponse_SERVING {
			t.Fatalf("check: %v, %v", answer, err)
		}
	}
	if err := stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if err := master.Wait(); err != nil {
		t.Errorf("the stopped master: %v", err)
	}
}

// address waits until the workers are ready.
func address(t *testing.T, binary string) string {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
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
