// Package loop runs callbacks on one goroutine: bytes that arrived, bytes
// that left, connections accepted, descriptors that became ready, deadlines,
// timers and funcs posted by other goroutines.
//
// Everything except [Loop.Post], [Loop.Stop], [Loop.Done], [Loop.Stats] and
// [Loop.Stack] may be called only from the loop's own goroutine, that is from
// inside a callback, or before [Loop.Run].
//
// A callback that panics or calls runtime.Goexit does not end the loop: see
// [Config.Recover].
package loop
