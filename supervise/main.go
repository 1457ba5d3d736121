package supervise

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

// Client talks to a running master over its control socket.
type Client struct{ runDir string }

// Main runs the command line and exits the process.
func (o *Options) Main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r := &inProcess{options: o, logger: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	if err := r.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}
