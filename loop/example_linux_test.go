package loop_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/jay-go/jay/loop"
	"golang.org/x/sys/unix"
)

// Watch any descriptor that can be polled: here inotify, to learn of new
// files.
func ExampleLoop_Watch() {
	dir, err := os.MkdirTemp("", "watch")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer unix.Close(fd)
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_CREATE); err != nil {
		fmt.Println(err)
		return
	}

	l, err := loop.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	l.Post(func() {
		var w *loop.Watch
		w, err = l.Watch(fd, loop.Readable, func(loop.Events) {
			buf := make([]byte, 4096)
			n, _ := unix.Read(fd, buf)
			name := string(buf[unix.SizeofInotifyEvent:n])
			fmt.Println("created", strings.TrimRight(name, "\x00"))
			w.Unwatch() // before fd is closed
			l.Stop()
		})
		if err != nil {
			fmt.Println(err)
			l.Stop()
		}
	})
	go func() { _ = os.WriteFile(filepath.Join(dir, "hello.txt"), nil, 0o600) }()
	if err := l.Run(); err != nil {
		fmt.Println(err)
	}
	// Output: created hello.txt
}
