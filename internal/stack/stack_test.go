package stack_test

import (
	"strings"
	"testing"

	"github.com/jay-go/jay/internal/leak"
	"github.com/jay-go/jay/internal/stack"
)

func TestMain(m *testing.M) { leak.Main(m) }

// hang stands in for a callback.
func hang(started chan<- int64, end <-chan struct{}) {
	started <- stack.ID()
	<-end
}

func TestOfAnotherGoroutine(t *testing.T) {
	started, end := make(chan int64), make(chan struct{})
	go hang(started, end)
	defer close(end)
	id := <-started
	got := string(stack.Of(stack.All(), id))
	if !strings.Contains(got, "stack_test.hang") || strings.Contains(got, "TestOfAnotherGoroutine(") {
		t.Errorf("the stack of goroutine %d is\n%s", id, got)
	}
	if id == stack.ID() {
		t.Errorf("two goroutines have the number %d", id)
	}
	if got := stack.Of(stack.All(), -1); got != nil {
		t.Errorf("a goroutine that does not exist has the stack %s", got)
	}
}

func TestWhere(t *testing.T) {
	for _, tt := range []struct{ name, stack, want string }{
		{"none", "", ""},
		{"a callback", `goroutine 7 [running]:
main.spin(...)
	/home/me/faults.go:34 +0x1d
github.com/jay-go/jay/http1.(*serverConn).run(0xc0000)
	/go/jay/http1/conn.go:112 +0x55
created by github.com/jay-go/jay/internal/loop.(*Loop).Run in goroutine 1
	/go/jay/internal/loop/loop.go:150 +0xaa`, "main.spin (faults.go:34)"},
		{"the outermost of the user's functions", `goroutine 7 [sleep]:
time.Sleep(0x3b9aca00)
	/usr/go/src/runtime/time.go:363 +0xf2
example.com/shop.(*Cart).load(0xc00010, {0x1, 0x2})
	/home/me/cart.go:9 +0x1d
example.com/shop.(*Cart).OnMessage(...)
	/home/me/shop.go:55
github.com/jay-go/jay.(*Messages[...]).Data(0xc0000)
	/go/jay/codec.go:48 +0x55
main.main()
	/home/me/main.go:12 +0x1`, "shop.(*Cart).OnMessage (shop.go:55)"},
		{"a callback that is in the framework", `goroutine 7 [select]:
github.com/jay-go/jay/bus.(*Bus).wait(0xc0000)
	/go/jay/bus/bus.go:48 +0x55
main.save(0x1)
	/home/me/save.go:3 +0x1d
github.com/jay-go/jay/internal/loop.(*Loop).turn(0xc0000)
	/go/jay/internal/loop/loop.go:188 +0x55`, "main.save (save.go:3)"},
		{"the framework alone", `goroutine 7 [syscall]:
github.com/jay-go/jay/internal/sys.Write(0x7)
	/go/jay/internal/sys/conn_linux.go:48 +0x55
github.com/jay-go/jay/internal/loop.(*Loop).turn(0xc0000)
	/go/jay/internal/loop/loop.go:188 +0x55`, "sys.Write (conn_linux.go:48)"},
		{"a name that begins alike", `goroutine 7 [running]:
github.com/jay-go/jay_test.callback(...)
	/home/me/x_test.go:1 +0x1d
github.com/jay-go/jay/internal/loop.(*Loop).turn(0xc0000)
	/go/jay/internal/loop/loop.go:188 +0x55`, "jay_test.callback (x_test.go:1)"},
		{"cut off", "goroutine 7 [running]:\nmain.spin(", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := stack.Where([]byte(tt.stack)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
