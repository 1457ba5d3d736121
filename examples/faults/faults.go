package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"github.com/jay-go/jay/web"
)

// answer does to its worker what the path says.
func answer(w *web.ResponseWriter, r *web.Request) {
	switch r.Path() {
	case "/panic":
		panic("asked to by GET /panic")
	case "/goexit":
		runtime.Goexit()
	case "/exit":
		os.Exit(number(r, "code"))
	case "/fatal":
		writeConcurrently()
	case "/goroutine":
		go panic("asked to by GET /goroutine") // no recover of the framework's can reach it
		select {}
	case "/overflow":
		debug.SetMaxStack(16 << 20) // the gigabyte of the default takes a while
		fmt.Fprint(w, recurse(0))
	case "/signal":
		raise(syscall.Signal(number(r, "n")))
	case "/bytes":
		w.Write(make([]byte, number(r, "n")))
	case "/spin":
		for i := 0; ; i++ {
		}
	case "/block":
		<-make(chan struct{})
	case "/oom":
		exhaust()
	case "/slow":
		answerLater(w, r, time.Duration(number(r, "ms"))*time.Millisecond)
	default:
		ok(w)
	}
}

// answerLater returns at once: the loop goes on with other connections.
func answerLater(w *web.ResponseWriter, r *web.Request, after time.Duration) {
	later := w.Later()
	r.Conn().Loop().AfterFunc(after, func() {
		if later.Gone() {
			return
		}
		ok(later.Writer())
		later.Finish()
	})
}

func ok(w *web.ResponseWriter) {
	w.SetHeader("Content-Type", "text/plain")
	fmt.Fprintf(w, "ok %d\n", os.Getpid())
}

// number is a query parameter; 0 when it is none.
func number(r *web.Request, name string) int {
	n, _ := strconv.Atoi(r.Query(name))
	return n
}

// writeConcurrently ends the process by the runtime's own check, which no
// recover catches.
func writeConcurrently() {
	runtime.GOMAXPROCS(2) // with one nothing runs within a write
	m := map[int]int{}
	for range 2 {
		go func() {
			for i := 0; ; i++ {
				m[i%8] = i
			}
		}()
	}
	select {}
}

// raise sends a signal to this process and waits to be ended by it.
func raise(signal os.Signal) {
	if self, err := os.FindProcess(os.Getpid()); err == nil && self.Signal(signal) == nil {
		select {}
	}
}

// recurse needs more stack than a goroutine may have.
func recurse(n int) int {
	if n < 0 {
		return n
	}
	return recurse(n+1) + 1
}

// exhaust takes all the memory there is. The kernel's choice of whom to kill
// for it should fall on this process.
func exhaust() {
	os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)
	var last *block
	for {
		last = &block{previous: last}
		for i := 0; i < len(last.bytes); i += 4096 {
			last.bytes[i] = 1
		}
	}
}

type block struct {
	previous *block
	bytes    [64 << 20]byte
}
