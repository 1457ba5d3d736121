package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// serve plays a master on the control socket of a new run directory.
func serve(t *testing.T, h http.HandlerFunc) *control.Client {
	t.Helper()
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, control.SocketName))
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	t.Cleanup(func() {
		_ = srv.Close()
		<-ended
	})
	return control.NewClient(dir)
}

func TestNotRunning(t *testing.T) {
	client := control.NewClient(t.TempDir())
	if _, err := client.Status(context.Background()); !errors.Is(err, control.ErrNotRunning) {
		t.Errorf("without a socket: %v", err)
	}
	if held, err := control.Held(t.TempDir()); held || err != nil {
		t.Errorf("an empty directory is held: %v, %v", held, err)
	}
}

func TestStatusAndConnections(t *testing.T) {
	requests := int64(7)
	status := control.Status{PID: 12, State: "running", Path: "/srv/\xff", Workers: []control.WorkerStatus{{PID: 13, Stats: control.Stats{Requests: &requests}}}}
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.RequestURI() {
		case "/v1/status":
			_, _ = w.Write([]byte(`{"pid":12,"state":"running","path":"/srv/` + string(rune(0x10FFFF)) + `","workers":[{"pid":13,"requests":7}]}`))
		case "/v1/connections?after=5&limit=2&program=chat":
			_, _ = w.Write([]byte(`{"connections":[{"pid":13,"id":6,"remote":"192.0.2.1:5"}],"next":"6"}`))
		default:
			t.Errorf("asked for %s", r.URL)
		}
	})
	got, err := client.Status(context.Background())
	if err != nil || !reflect.DeepEqual(got, status) {
		t.Errorf("status %+v, %v; want %+v", got, err, status)
	}
	list, err := client.Connections(context.Background(), "chat", "5", 2)
	if err != nil || len(list.Connections) != 1 || list.Connections[0].ID != 6 || list.Next != "6" {
		t.Errorf("connections %+v, %v", list, err)
	}
}

// Do waits for an operation; how it ends is what Do returns.
func TestDo(t *testing.T) {
	var asked atomic.Int64
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(control.OriginHeader) != "me" {
			t.Errorf("origin %q", r.Header.Get(control.OriginHeader))
		}
		switch r.URL.Path {
		case "/v1/reload":
			_, _ = w.Write([]byte(`{"operation":"1"}`))
		case "/v1/scale":
			var body map[string]any
			if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body["count"] != 3.0 {
				t.Errorf("body %v, %v", body, err)
			}
			_, _ = w.Write([]byte(`{"operation":"2"}`))
		case "/v1/upgrade":
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"error":"not now"}`))
		case "/v1/hold":
			w.WriteHeader(http.StatusTeapot)
		case "/v1/operations/1":
			state := map[bool]string{true: control.OperationRunning, false: control.OperationDone}[asked.Add(1) < 3]
			_, _ = w.Write([]byte(`{"operation":"1","state":"` + state + `","detail":{"generation":2}}`))
		case "/v1/operations/2":
			_, _ = w.Write([]byte(`{"operation":"2","state":"failed","error":"no room"}`))
		}
	})
	client.Origin = "me"
	ctx := context.Background()
	if detail, gone, err := client.Do(ctx, "reload", nil); err != nil || gone || detail["generation"] != 2.0 || asked.Load() != 3 {
		t.Errorf("reload: %v, %v, %v after %d questions", detail, gone, err, asked.Load())
	}
	var failed control.OperationError
	if _, _, err := client.Do(ctx, "scale", map[string]any{"count": 3}); !errors.As(err, &failed) || failed.Text != "no room" {
		t.Errorf("scale: %v", err)
	}
	var refused *control.RefusedError
	if _, _, err := client.Do(ctx, "upgrade", nil); !errors.As(err, &refused) || refused.Status != 400 || refused.Text != "not now" {
		t.Errorf("upgrade: %v", err)
	}
	if _, _, err := client.Do(ctx, "hold", nil); !errors.As(err, &refused) || !strings.Contains(refused.Text, "418") {
		t.Errorf("an answer without words: %v", err)
	}
}

// A master that has ended while an operation went on is what a stop is about; one
// that says nothing is not.
func TestMasterThatGoes(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_, _ = w.Write([]byte(`{"operation":"1"}`))
			return
		}
		w.WriteHeader(http.StatusNotFound)
	})
	if _, gone, err := client.Do(context.Background(), "stop", nil); !gone || err != nil {
		t.Errorf("gone %v, %v", gone, err)
	}
	waiting := make(chan bool)
	client = serve(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-waiting:
		case <-r.Context().Done():
		}
	})
	defer close(waiting)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if _, err := client.Status(ctx); !control.IsTimeout(err) || control.IsUnreachable(err) {
		t.Errorf("a master that stands still: %v", err)
	}
}
