// Line is a chat of text lines:
//
//	go run ./examples/line start
//	telnet 127.0.0.1 7000          or: socat READLINE TCP:127.0.0.1:7000
//
// The first line is a name. /who lists who is online, /quit leaves, every
// other line goes to all.
package main

import (
	"github.com/jay-go/jay"
	"github.com/jay-go/jay/framing"
)

// text is the protocol, for both directions: lines as telnet has them.
var text = framing.Line{Max: 1000, CRLF: true}

func main() {
	lobby := &room{members: map[string]*jay.Conn{}}
	jay.Main(&jay.Server{
		Name:      "line",
		Addr:      "tcp://127.0.0.1:7000",
		Workers:   1, // who is online is known to one process
		Conn:      jay.ConnConfig{IdleTimeout: -1},
		Protocol:  text.Protocol(lobby.said),
		OnConnect: func(c *jay.Conn) { text.Send(c, "Welcome. What is your name?") },
		OnClose:   func(c *jay.Conn, err error) { lobby.leave(c) },
		OnError:   lobby.failed,
	})
}
