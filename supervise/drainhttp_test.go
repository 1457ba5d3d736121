package supervise

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestServerLike: a field of http.Server that is not carried over would be
// ignored without a word. Those of later versions of Go are seen here.
func TestServerLike(t *testing.T) {
	srv := &http.Server{}
	v := reflect.ValueOf(srv).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); f.CanSet() {
			f.Set(something(t, f.Type()))
		}
	}
	like := reflect.ValueOf(serverLike(srv)).Elem()
	for i := range v.NumField() {
		if v.Type().Field(i).IsExported() && like.Field(i).IsZero() {
			t.Errorf("%s is not carried over", v.Type().Field(i).Name)
		}
	}
}

// something is a value that is not zero.
func something(t *testing.T, typ reflect.Type) reflect.Value {
	switch typ.Kind() {
	case reflect.Pointer:
		return reflect.New(typ.Elem())
	case reflect.Func:
		return reflect.MakeFunc(typ, func([]reflect.Value) []reflect.Value { return nil })
	case reflect.Map:
		return reflect.MakeMap(typ)
	case reflect.Interface:
		return reflect.ValueOf(http.NewServeMux())
	case reflect.String:
		return reflect.ValueOf("x")
	case reflect.Bool:
		return reflect.ValueOf(true)
	case reflect.Int, reflect.Int64:
		return reflect.ValueOf(1).Convert(typ)
	}
	t.Fatalf("no value of %s", typ)
	return reflect.Value{}
}

// opaqueListener gives connections that tell nothing of their sockets, as some
// that limit connections do.
type opaqueListener struct{ net.Listener }

type opaqueConn struct{ net.Conn }

func (l opaqueListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return opaqueConn{c}, err
}

// drainInProcess runs a program that uses DrainHTTP. It gives the address, the
// worker, what begins the drain, and the result of the run.
func drainInProcess(t *testing.T, srv *http.Server, wrap func(net.Listener) net.Listener) (string, *Worker, func(), <-chan error) {
	t.Helper()
	addrs, workers, ended := make(chan string, 1), make(chan *Worker, 1), make(chan error, 1)
	run := func(ctx context.Context, w *Worker) error {
		workers <- w
		ln, err := w.Listener("")
		if err != nil {
			return err
		}
		return DrainHTTP(ctx, w, srv, wrap(ln))
	}
	r := &inProcess{
		logger:  slog.New(slog.DiscardHandler),
		started: func(_ *Program, s []Socket) { addrs <- strings.TrimPrefix(s[0].Addr, "tcp://") },
		options: &Options{Programs: []Program{{Name: "a", Listen: []string{"tcp://127.0.0.1:0"}, StopTimeout: time.Minute, Run: run}}},
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go func() { ended <- r.run(ctx) }()
	return <-addrs, <-workers, cancel, ended
}

// TestHijackedThroughLayers: whatever the listener's connections are, hijacked
// ones are counted, outlive the beginning of a drain, and end it when they close.
func TestHijackedThroughLayers(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	server.StartTLS()
	defer server.Close()
	secure := &tls.Config{Certificates: server.TLS.Certificates}
	for name, wrap := range map[string]func(net.Listener) net.Listener{
		"plain":             func(ln net.Listener) net.Listener { return ln },
		"opaque":            func(ln net.Listener) net.Listener { return opaqueListener{ln} },
		"TLS":               func(ln net.Listener) net.Listener { return tls.NewListener(ln, secure) },
		"TLS, opaque below": func(ln net.Listener) net.Listener { return tls.NewListener(opaqueListener{ln}, secure) },
	} {
		t.Run(name, func(t *testing.T) {
			addr, w, drain, ended := drainInProcess(t, &http.Server{Handler: http.HandlerFunc(echoHijacked)}, wrap)
			c, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(name, "TLS") {
				c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(time.Minute))
			r := bufio.NewReader(c)
			say := func(text string) {
				t.Helper()
				io.WriteString(c, text)
				if line, err := r.ReadString('\n'); line != "echo\n" || err != nil {
					t.Fatalf("%q, %v; want the echo", line, err)
				}
			}
			say("GET / HTTP/1.1\r\nHost: x\r\n\r\necho\n")
			if s, _ := w.figures(); *s.Connections != 1 || *s.Requests != 1 {
				t.Errorf("%d connections, %d requests, want 1 and 1", *s.Connections, *s.Requests)
			}
			drain()
			for deadline := time.Now().Add(time.Minute); !w.isSettled() && time.Now().Before(deadline); {
				time.Sleep(time.Millisecond)
			}
			say("echo\n")
			select {
			case err := <-ended:
				t.Fatalf("the run has ended with %v, and a connection is open", err)
			case <-time.After(3 * hijackedEvery): // it must not come; a slow machine sees less
			}
			say("echo\n")
			c.Close()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if s, _ := w.figures(); s.Connections != nil || *s.Requests != 1 {
				t.Errorf("%v connections and %d requests after the end, want none and 1", s.Connections, *s.Requests)
			}
		})
	}
}

// echoHijacked takes the connection and sends back each line.
func echoHijacked(rw http.ResponseWriter, _ *http.Request) {
	c, b, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		panic(err)
	}
	defer c.Close()
	for {
		line, err := b.ReadString('\n')
		if err != nil {
			return
		}
		io.WriteString(c, line)
	}
}

// TestProgramsShutdown: a program may end its server itself, which nobody
// expects of it.
func TestProgramsShutdown(t *testing.T) {
	srv := &http.Server{Handler: http.NotFoundHandler()}
	_, _, _, ended := drainInProcess(t, srv, func(ln net.Listener) net.Listener { return ln })
	// Shutdown before DrainHTTP has begun does nothing to it.
	var err error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		srv.Shutdown(t.Context())
		select {
		case err = <-ended:
		default:
			continue
		}
		break
	}
	if !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("the run ended with %v, want %v", err, http.ErrServerClosed)
	}
}

// TestClosedHijackedAreForgotten: a worker that lives for years does not keep
// what was closed.
func TestClosedHijackedAreForgotten(t *testing.T) {
	d := newHTTPDrain(&http.Server{})
	most := 0
	for range 1000 {
		ours, theirs := net.Pipe()
		d.track(ours, http.StateNew)
		d.track(ours, http.StateHijacked)
		d.handedOut(ours).Close()
		theirs.Close()
		most = max(most, len(d.hijacked))
	}
	if most > 100 || d.openHijacked() != 0 {
		t.Errorf("up to %d were kept, %d at the end", most, d.openHijacked())
	}
	if s := d.stats(); *s.Connections != 0 || *s.Accepted != 1000 {
		t.Errorf("%d connections of %d accepted", *s.Connections, *s.Accepted)
	}
}
