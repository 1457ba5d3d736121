package supervise_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"

	"github.com/jay-go/jay/supervise"
)

// A net/http server as four worker processes that share one socket. Reloads
// and upgrades close no connection under its client.
func ExampleMain() {
	supervise.Main(supervise.Program{
		Name:     "api",
		Protocol: "http",
		Listen:   []string{"tcp://127.0.0.1:8080"},
		Count:    4,
		Run: func(ctx context.Context, w *supervise.Worker) error {
			mux := http.NewServeMux()
			mux.HandleFunc("GET /", func(rw http.ResponseWriter, r *http.Request) {
				fmt.Fprintf(rw, "hello from worker %d, pid %d\n", w.Slot(), os.Getpid())
			})
			return supervise.DrainHTTP(ctx, w, &http.Server{Handler: mux})
		},
	})
}

// A program without addresses runs in the background, and is restarted when
// it ends.
func ExampleProgram_background() {
	supervise.Main(supervise.Program{
		Name:  "cleaner",
		Count: 1,
		Run: func(ctx context.Context, w *supervise.Worker) error {
			if err := w.Ready(); err != nil {
				return err
			}
			<-ctx.Done() // context.Cause(ctx) is a *supervise.Drain
			return nil
		},
	})
}

// A worker counts what it does, and says when it cannot do that well.
func ExampleWorker_Metrics() {
	jobs := &supervise.Counter{Name: "jobs_total", Help: "Jobs that were done."}
	supervise.Main(supervise.Program{
		Name:  "jobs",
		Count: 1,
		Run: func(ctx context.Context, w *supervise.Worker) error {
			if err := errors.Join(w.Metrics(jobs), w.Ready()); err != nil {
				return err
			}
			for ctx.Err() == nil {
				err := doJob(ctx)
				w.Health("queue", err) // status and /readyz say why
				if err == nil {
					jobs.Inc()
				}
			}
			return nil
		},
	})
}

func doJob(ctx context.Context) error { return ctx.Err() }

// A package adds a flag, a command and a program to the services that want it.
func ExampleOptions_extensions() {
	var addr string
	stats := supervise.Extension{
		Name:  "stats",
		Flags: func(fs *flag.FlagSet) { fs.StringVar(&addr, "stats", "", "`ADDR` to serve figures at") },
		Programs: func() ([]supervise.Program, error) {
			if addr == "" {
				return nil, nil
			}
			return []supervise.Program{{Name: "stats", Listen: []string{addr}, Count: 1, Run: serveStats}}, nil
		},
		Commands: []supervise.Command{{
			Name: "requests", Usage: "how many requests were handled",
			Run: func(ctx context.Context, call supervise.Call) error {
				st, err := call.Client.Status(ctx)
				if err != nil {
					return err
				}
				for _, p := range st.Programs {
					if n := p.Totals.Requests; n != nil {
						fmt.Fprintln(call.Stdout, p.Name, *n)
					}
				}
				return nil
			},
		}},
	}
	(&supervise.Options{
		Programs:   []supervise.Program{{Name: "api", Listen: []string{"tcp://127.0.0.1:8080"}, Run: serveStats}},
		Extensions: []supervise.Extension{stats},
	}).Main()
}

func serveStats(ctx context.Context, w *supervise.Worker) error {
	return supervise.DrainHTTP(ctx, w, &http.Server{Handler: http.NotFoundHandler()})
}
