// Package supervise runs programs as worker processes that must not go down. A
// master process owns the listening sockets, starts the workers, restarts them
// when they exit, and replaces their code and its own while they serve. Any Go
// server can run under it: it knows nothing of loops and protocols.
//
//	func main() {
//		supervise.Main(supervise.Program{
//			Listen: []string{"tcp://127.0.0.1:8080"},
//			Run: func(ctx context.Context, w *supervise.Worker) error {
//				ln, err := w.Listener("")
//				if err != nil {
//					return err
//				}
//				srv := &http.Server{Handler: handler}
//				return supervise.DrainHTTP(ctx, w, srv, ln)
//			},
//		})
//	}
//
// The main function runs in the master, in every worker, and once in a short
// lived process at each reload, which only asks what the programs are. So
// what has side effects belongs in OnWorkerStart or Run, not before Main.
package supervise
