//go:build unix

package loop_test

import (
	"fmt"

	"github.com/jay-go/jay/loop"
	"golang.org/x/sys/unix"
)

// Read a pipe, the output of a child process say, as it comes.
func ExampleWatch() {
	var p [2]int
	if err := unix.Pipe(p[:]); err != nil {
		fmt.Println(err)
		return
	}
	if err := unix.SetNonblock(p[0], true); err != nil {
		fmt.Println(err)
		return
	}
	l, err := loop.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	var w *loop.Watch
	w, err = l.Watch(p[0], loop.Readable, func(loop.Events) {
		buf := make([]byte, 100)
		n, _ := unix.Read(p[0], buf)
		if n > 0 {
			fmt.Printf("read %q\n", buf[:n])
			return
		}
		fmt.Println("the other end is closed")
		w.Unwatch()
		_ = unix.Close(p[0])
		l.Stop()
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() {
		_, _ = unix.Write(p[1], []byte("hello"))
		_ = unix.Close(p[1])
	}()
	if err := l.Run(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// read "hello"
	// the other end is closed
}
