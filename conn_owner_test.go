package jay_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/internal/stack"
)

// TestForeignGoroutine: a Conn that is used on a goroutine of the user's panics there
// in builds with the race detector, and says what is right. What never changes can be
// read, and after the end of the loop nothing is anybody's.
func TestForeignGoroutine(t *testing.T) {
	if !stack.Tells {
		t.Log("this build does not tell goroutines apart: nothing may panic")
	}
	eachBackend(t, func(t *testing.T, backend string) {
		conns := make(chan *jay.Conn, 1)
		addr, stop := serveStop(t, &jay.Server{Protocol: every(echo{}), OnConnect: func(c *jay.Conn) { conns <- c }}, backend)
		peer, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = peer.Close() }()
		c := receive(t, conns, "the connection")
		for _, harmless := range []func(){
			func() { c.ID() }, func() { c.Worker() }, func() { c.Loop() }, func() { c.Ref() },
		} {
			if got := panicOf(harmless); got != "" {
				t.Errorf("what is harmless panicked: %s", got)
			}
		}
		if stack.Tells { // else they would race
			for name, use := range map[string]func(){
				"Write": func() { _, _ = c.Write([]byte("x")) }, "Close": c.Close, "Value": func() { c.Value() }, "Buffered": func() { c.Buffered() },
			} {
				if got := panicOf(use); !strings.Contains(got, "Ref.Send") {
					t.Errorf("%s: it panicked with %q, want a word of Ref", name, got)
				}
			}
		}
		stop()
		if got := panicOf(func() { c.BytesIn() }); got != "" {
			t.Errorf("after the end it panicked: %s", got)
		}
	})
}

func panicOf(fn func()) (text string) {
	defer func() {
		if v := recover(); v != nil {
			text = fmt.Sprint(v)
		}
	}()
	fn()
	return ""
}

// TestEveryMethodAsks: each exported method of Conn begins by asking whose goroutine
// it is on.
func TestEveryMethodAsks(t *testing.T) {
	harmless := []string{"ID", "Worker", "Loop", "Ref"}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	methods := 0
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		for _, d := range file.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv == nil || !fn.Name.IsExported() || slices.Contains(harmless, fn.Name.Name) {
				continue
			}
			star, ok := fn.Recv.List[0].Type.(*ast.StarExpr)
			if !ok || fmt.Sprint(star.X) != "Conn" {
				continue
			}
			methods++
			if !asks(fn.Body.List[0]) {
				t.Errorf("Conn.%s does not begin with c.mine()", fn.Name.Name)
			}
		}
	}
	if methods < 20 {
		t.Errorf("only %d methods were found", methods)
	}
}

func asks(s ast.Stmt) bool {
	e, ok := s.(*ast.ExprStmt)
	if !ok {
		return false
	}
	call, ok := e.X.(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	return ok && sel.Sel.Name == "mine"
}
