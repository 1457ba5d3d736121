// Package example is an owner with every kind of call. Functions that begin with
// blocks make one that can block, those that begin with fine none.
package example

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

type world interface{ start() }

type owner struct {
	events chan any
	done   chan struct{}
	w      world
	report func()
	timers []func()
	file   *os.File
	out    io.Writer
	conn   net.Conn
	group  sync.WaitGroup
	mu     sync.Mutex
}

// Run is the root.
func (o *owner) Run() {
	for {
		select {
		case ev := <-o.events:
			o.handle(ev)
		case <-o.done:
			return
		}
	}
}

func (o *owner) handle(ev any) {
	switch ev := ev.(type) {
	case func():
		ev()
	case string:
		o.direct()
	}
	o.w.start()
	o.report()
	for _, fn := range o.timers {
		fn()
	}
}

func (o *owner) direct() {
	o.blocksInASleep()
	o.blocksInAWrite()
	o.blocksInAConn()
	o.blocksInAnInterface()
	o.blocksInASend()
	o.blocksInAReceive()
	o.blocksInARange()
	o.blocksInASelect()
	o.blocksInAWait()
	o.blocksInALock()
	o.blocksInACommand()
	o.blocksInARequest()
	o.blocksInAFile()
	defer o.blocksDeferred()
	o.fineSelect()
	o.fineElsewhere()
	o.fineText()
	generic(o)
	f := o.blocksAsAValue
	f()
	slices.SortFunc([]int{2, 1}, func(a, b int) int { blocksWhenComparing(); return a - b })
	for line := range strings.Lines("a\nb") {
		blocksInAnIteration(line)
	}
}

func (o *owner) blocksInASleep()      { time.Sleep(1) }
func (o *owner) blocksInAWrite()      { o.file.Write(nil) }
func (o *owner) blocksInAConn()       { o.conn.Write(nil) }
func (o *owner) blocksInAnInterface() { fmt.Fprintln(o.out, "x") }
func (o *owner) blocksInASend()       { o.events <- 1 }
func (o *owner) blocksInAReceive()    { <-o.done }
func (o *owner) blocksInAWait()       { o.group.Wait() }
func (o *owner) blocksInALock()       { o.mu.Lock() }
func (o *owner) blocksInACommand()    { exec.Command("x").Run() }
func (o *owner) blocksInARequest()    { http.Get("x") }
func (o *owner) blocksInAFile()       { os.ReadFile("x") }
func (o *owner) blocksDeferred()      { <-o.done }
func (o *owner) blocksAsAValue()      { <-o.done }
func blocksWhenComparing()            { time.Sleep(1) }
func blocksInAnIteration(line string) { fmt.Println(line) }

func (o *owner) blocksInARange() {
	for range o.events {
	}
}

func (o *owner) blocksInASelect() {
	select {
	case <-o.done:
	case <-time.After(1):
	}
}

func generic[T any](v T) { blocksInAGeneric(v) }

func blocksInAGeneric[T any](T) { time.Sleep(1) }

func (o *owner) fineSelect() {
	select {
	case o.events <- 1:
	default:
	}
}

func (o *owner) fineElsewhere() {
	go o.elsewhere()
	o.group.Go(o.elsewhere)
	time.AfterFunc(1, o.elsewhere)
}

func (o *owner) elsewhere() { o.fineOnAnotherGoroutine() }

func (o *owner) fineOnAnotherGoroutine() { time.Sleep(1); o.events <- 1 }

func (o *owner) fineText() { _ = fmt.Sprintf("%d", 1) }

// New is called by somebody else, and so is Post: only what they hand over is the owner's.
func New() *owner {
	o := &owner{events: make(chan any), w: implementation{}, file: os.Stdout}
	o.report = func() { blocksByAField() }
	o.timers = append(o.timers, func() { blocksByAList() })
	return o
}

func blocksByAField() { time.Sleep(1) }
func blocksByAList()  { time.Sleep(1) }

// Post is a handler of another goroutine.
func (o *owner) Post() {
	fineBeside()
	o.events <- func() { blocksWhenPosted() }
	o.events <- blocksByName
}

func fineBeside()       { time.Sleep(1) }
func blocksWhenPosted() { time.Sleep(1) }
func blocksByName()     { time.Sleep(1) }

type implementation struct{}

func (implementation) start() { blocksInAnImplementation() }

func blocksInAnImplementation() { time.Sleep(1) }

// Start runs both.
func Start() {
	o := New()
	go o.Run()
	go o.Post()
}
