// Chat is a page with rooms: who is there, what they say.
//
//	go run ./examples/chat start --listen 127.0.0.1:8082
//
// A room is a group of one worker's connections, so the program has one
// worker.
package main

import (
	_ "embed"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/web"
	"github.com/jay-go/jay/websocket"
)

//go:embed page.html
var page string

// room is the people who are in one place. It belongs to the worker's loop.
type room struct {
	name   string
	people websocket.Group
}

// person is the state of one connection.
type person struct {
	name string
	room *room
}

// event is what the page is told, as JSON.
type event struct {
	Type   string   `json:"type"` // "said", "joined", "left", "online"
	Name   string   `json:"name,omitempty"`
	Text   string   `json:"text,omitempty"`
	Online []string `json:"online,omitempty"`
}

// chat is the program's state.
type chat struct {
	rooms map[string]*room
	ws    *websocket.Handler
}

const (
	maxName = 30
	maxText = 2000
)

func main() {
	c := newChat()
	jay.Main(&jay.Server{
		Name:     "chat",
		Addr:     "tcp://127.0.0.1:9995",
		Workers:  1,
		Protocol: web.HandlerFunc(c.serve),
		OnReload: func(*jay.Worker) { c.move() },
	})
}

func newChat() *chat {
	c := &chat{rooms: map[string]*room{}}
	c.ws = &websocket.Handler{OnUpgrade: c.enter, OnOpen: c.joined, OnMessage: c.said, OnClose: c.left, MaxMessage: 4 * maxText}
	return c
}

func (c *chat) serve(w *web.ResponseWriter, r *web.Request) {
	switch r.Path() {
	case "/":
		w.SetHeader("Content-Type", "text/html; charset=utf-8")
		w.SetHeader("X-Content-Type-Options", "nosniff")
		w.WriteString(page)
	case "/ws":
		c.ws.Serve(w, r)
	default:
		w.SetStatus(404)
	}
}

// enter refuses who has no name.
func (c *chat) enter(w *web.ResponseWriter, r *web.Request) (any, bool) {
	name, where := label(r.Query("name")), label(r.Query("room"))
	if name == "" || where == "" {
		w.SetStatus(400)
		w.WriteString("name and room must have 1 to 30 characters\n")
		return nil, false
	}
	return &person{name: name, room: c.room(where)}, true
}

// label returns s without the space around it, or "" if it is no name.
func label(s string) string {
	s = strings.TrimSpace(s)
	if !utf8.ValidString(s) || utf8.RuneCountInString(s) > maxName {
		return ""
	}
	return s
}

func (c *chat) room(name string) *room {
	if c.rooms[name] == nil {
		c.rooms[name] = &room{name: name}
	}
	return c.rooms[name]
}

func (c *chat) joined(conn *websocket.Conn) {
	p := conn.Value().(*person)
	c.rooms[p.room.name] = p.room // it may have been empty meanwhile
	p.room.people.Add(conn)
	p.room.tell(event{Type: "joined", Name: p.name})
	p.room.tellOnline()
}

func (c *chat) said(conn *websocket.Conn, m websocket.Message) {
	p := conn.Value().(*person)
	if text := strings.TrimSpace(m.Text()); m.IsText() && text != "" && utf8.RuneCountInString(text) <= maxText {
		p.room.tell(event{Type: "said", Name: p.name, Text: text})
	}
}

func (c *chat) left(conn *websocket.Conn, _ websocket.Code, _ string) {
	p := conn.Value().(*person)
	p.room.tell(event{Type: "left", Name: p.name})
	p.room.tellOnline()
	if p.room.people.Len() == 0 && c.rooms[p.room.name] == p.room {
		delete(c.rooms, p.room.name)
	}
}

// move sends everybody away when a new worker takes over. Connections would
// stay here for a while, and who comes back would not meet who has stayed.
func (c *chat) move() {
	for _, r := range c.rooms {
		for conn := range r.people.All {
			conn.Close(websocket.CloseRestart, "")
		}
	}
}

func (r *room) tell(e event) {
	if m, err := websocket.JSON(e); err == nil {
		r.people.Send(m)
	}
}

func (r *room) tellOnline() {
	var names []string
	for c := range r.people.All {
		names = append(names, c.Value().(*person).name)
	}
	slices.Sort(names)
	r.tell(event{Type: "online", Online: names})
}
