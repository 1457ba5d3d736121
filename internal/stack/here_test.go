package stack_test

import (
	"testing"

	"github.com/jay-go/jay/internal/stack"
)

// TestHere: a goroutine keeps its number, also when its stack moves, and no two have
// the same one.
func TestHere(t *testing.T) {
	own := stack.Here()
	if stack.Tells == (own == 0) {
		t.Fatalf("Here is %#x, and Tells is %v", own, stack.Tells)
	}
	if deeper(1000) != own {
		t.Error("a goroutine got another number when its stack grew")
	}
	there := make(chan uintptr)
	go func() { there <- stack.Here() }()
	if other := <-there; stack.Tells && other == own {
		t.Error("two goroutines have one number")
	}
}

//go:noinline
func deeper(n int) uintptr {
	var room [128]byte
	if n == 0 {
		return stack.Here()
	}
	return deeper(n-1) + uintptr(room[n%len(room)])
}
