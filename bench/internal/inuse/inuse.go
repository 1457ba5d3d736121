// Package inuse is how the measured Go servers tell their memory.
package inuse

import (
	"fmt"
	"runtime"
)

// Path is the request target under which a server answers Report.
const Path = "/bench/in-use"

// Report collects garbage and returns the bytes of heap and stacks in use, as
// decimal digits. The second collection frees what finalizers and pools held
// through the first.
func Report() string {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return fmt.Sprint(m.HeapInuse + m.StackInuse)
}
