// Package control is the control API of a running service: what its master says of
// itself, as data, and a client. The command line is such a client; docs/lifecycle.md
// has the paths, for clients in other languages.
//
//	client := control.NewClient("/run/jay/hello")
//	status, err := client.Status(ctx)
package control
