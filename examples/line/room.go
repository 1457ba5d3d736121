package main

import (
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/jay-go/jay"
)

// A room is the people who talk to each other. It belongs to the worker's
// loop, as all callbacks do.
type room struct {
	members map[string]*jay.Conn // by name; a Conn's value is its name
}

// said takes a line of c's.
func (r *room) said(c *jay.Conn, line string) {
	line = strings.TrimSpace(printable(line))
	name, known := c.Value().(string)
	switch {
	case !known:
		r.enter(c, line)
	case line == "/who":
		text.Send(c, strings.Join(slices.Sorted(maps.Keys(r.members)), ", "))
	case line == "/quit":
		text.Send(c, "Bye.")
		r.leave(c)
		c.Close()
	case strings.HasPrefix(line, "/"):
		text.Send(c, "There are /who and /quit.")
	case line != "":
		r.tell(name + ": " + line)
	}
}

// enter takes c in under a name, or asks for another.
func (r *room) enter(c *jay.Conn, name string) {
	switch {
	case name == "" || len(name) > 20 || strings.ContainsAny(name, "/:, "):
		text.Send(c, "A name has 1 to 20 letters. What is yours?")
	case r.members[name] != nil:
		text.Send(c, name+" is taken. What is your name?")
	default:
		r.tell(name + " is here.")
		c.SetValue(name)
		r.members[name] = c
		text.Send(c, "Hello, "+name+". Say something, or /who, or /quit.")
	}
}

// leave forgets c, once.
func (r *room) leave(c *jay.Conn) {
	if name, known := c.Value().(string); known && r.members[name] == c {
		delete(r.members, name)
		r.tell(name + " has left.")
	}
}

// failed tells c why it is being closed. It leaves now: until c's other end
// has closed too, and OnClose is called, it may be a while.
func (r *room) failed(c *jay.Conn, err error) {
	if c == nil {
		return // of no connection: logged by the framework
	}
	text.Send(c, "Sorry: "+err.Error())
	r.leave(c)
}

// tell sends a line to everybody. One whose connection is just closing, or who
// does not read, does not get it; that is no concern of the others.
func (r *room) tell(line string) {
	for _, member := range r.members {
		_ = text.Send(member, line)
	}
}

// printable drops what would act on another one's terminal.
func printable(line string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, line)
}
