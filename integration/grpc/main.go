// Grpc is a gRPC server under the supervisor: the master owns the socket, the
// workers share it, and one that drains ends its calls before it leaves.
//
//	go run ./grpc start --workers 2
package main

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/jay-go/jay/supervise"
)

func main() {
	supervise.Main(supervise.Program{
		Name:     "grpc",
		Protocol: "grpc",
		Listen:   []string{"tcp://127.0.0.1:9998"},
		Run:      serve,
	})
}

// serve is one worker. GracefulStop announces the end to the clients and
// returns when their calls are done; at the drain's deadline it is cut short.
func serve(ctx context.Context, w *supervise.Worker) error {
	ln, err := w.Listener("")
	if err != nil {
		return err
	}
	srv := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(srv, checker{health.NewServer()})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		if drain, ok := context.Cause(ctx).(*supervise.Drain); ok && !drain.Deadline.IsZero() {
			defer time.AfterFunc(time.Until(drain.Deadline)-100*time.Millisecond, srv.Stop).Stop()
		}
		srv.GracefulStop()
	}()
	if err := w.Ready(); err != nil {
		return err
	}
	if err := srv.Serve(ln); err != nil {
		return err
	}
	<-stopped
	return nil
}

// checker answers for a service called "slow" after a while.
type checker struct{ grpc_health_v1.HealthServer }

func (c checker) Check(ctx context.Context, r *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	if r.Service != "slow" {
		return c.HealthServer.Check(ctx, r)
	}
	time.Sleep(300 * time.Millisecond)
	return &grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_SERVING}, nil
}
