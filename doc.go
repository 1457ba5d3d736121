// Package jay is a framework for long-lived network services: a master
// process supervises worker processes, each worker runs an event loop, each
// connection speaks a protocol, and user code is a few callbacks.
package jay
