package main

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// version is what clients are told, who choose by it what they send.
const version = "7.2.0"

// client is what a connection has told of itself.
type client struct {
	id       uint64
	protocol int    // 2 or 3
	name     string // "" where it has none
	library  string // name and version of its library
}

func newClient(id uint64) *client { return &client{id: id, protocol: 2} }

// resp3 reports whether the client has asked for the third version of the
// protocol.
func (q *request) resp3() bool { return q.from != nil && q.from.protocol == 3 }

// appendNull appends what stands for nothing.
func appendNull(out []byte, q *request) []byte {
	if q.resp3() {
		return append(out, "_\r\n"...)
	}
	return append(out, "$-1\r\n"...)
}

// appendMap begins n pairs.
func appendMap(out []byte, q *request, n int) []byte {
	if q.resp3() {
		return appendHeader(out, '%', n)
	}
	return appendHeader(out, '*', 2*n)
}

// appendText appends text for people.
func appendText(out []byte, q *request, text string) []byte {
	if q.resp3() {
		return append(append(appendHeader(out, '=', len("txt:")+len(text)), "txt:"+text...), "\r\n"...)
	}
	return appendBulk(out, []byte(text))
}

// hello is HELLO [version [AUTH name password] [SETNAME name]]: the first that a
// client sends today.
func hello(_ *keys, out []byte, q *request) []byte {
	c := *q.from
	if q.n > 1 {
		n, ok := parseInt(q.arg(1))
		switch {
		case !ok:
			return appendError(out, "ERR Protocol version is not an integer or out of range")
		case n != 2 && n != 3:
			return appendError(out, "NOPROTO unsupported protocol version")
		}
		c.protocol = int(n)
	}
	for i := 2; i < q.n; {
		switch {
		case is(q.arg(i), "auth") && i+2 < q.n:
			if !mayLogIn(q.arg(i + 1)) {
				return appendError(out, wrongPassword)
			}
			i += 3
		case is(q.arg(i), "setname") && i+1 < q.n:
			if !isName(q.arg(i + 1)) {
				return appendError(out, noName)
			}
			c.name = string(q.arg(i + 1))
			i += 2
		default:
			return appendError(out, "ERR Syntax error in HELLO option '", printable(q.arg(i), 128), "'")
		}
	}
	*q.from = c
	out = appendMap(out, q, 7)
	for _, pair := range [][2]string{{"server", "redis"}, {"version", version}} {
		out = appendBulk(appendBulk(out, []byte(pair[0])), []byte(pair[1]))
	}
	out = appendInt(appendBulk(out, []byte("proto")), c.protocol)
	out = appendInt(appendBulk(out, []byte("id")), int(c.id))
	for _, pair := range [][2]string{{"mode", "standalone"}, {"role", "master"}} {
		out = appendBulk(appendBulk(out, []byte(pair[0])), []byte(pair[1]))
	}
	return appendHeader(appendBulk(out, []byte("modules")), '*', 0)
}

const (
	wrongPassword = "WRONGPASS invalid username-password pair or user is disabled."
	noName        = "ERR Client names cannot contain spaces, newlines or special characters."
)

// mayLogIn: there is no password, so the default user may log in with any.
func mayLogIn(user []byte) bool { return string(user) == "default" }

func isName(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return c < '!' || c > '~' })
}

func auth(_ *keys, out []byte, q *request) []byte {
	switch {
	case q.n == 2:
		return appendError(out, "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?")
	case q.n > 3:
		return appendError(out, "ERR syntax error")
	case !mayLogIn(q.arg(1)):
		return appendError(out, wrongPassword)
	}
	return appendOK(out)
}

// selectDB: there is one database, 0.
func selectDB(_ *keys, out []byte, q *request) []byte {
	switch n, ok := parseInt(q.arg(1)); {
	case !ok:
		return appendNotInteger(out)
	case n != 0:
		return appendError(out, "ERR DB index is out of range")
	}
	return appendOK(out)
}

func resetClient(_ *keys, out []byte, q *request) []byte {
	*q.from = *newClient(q.from.id)
	return append(out, "+RESET\r\n"...)
}

// clientCommands are what follows CLIENT.
func clientCommands() map[string]command {
	onOff := func(_ *keys, out []byte, q *request) []byte {
		if !is(q.arg(2), "on") && !is(q.arg(2), "off") {
			return appendError(out, "ERR syntax error")
		}
		return appendOK(out)
	}
	return map[string]command{
		"getname": {arity: 2, run: func(_ *keys, out []byte, q *request) []byte {
			if q.from.name == "" {
				return appendNull(out, q)
			}
			return appendBulk(out, []byte(q.from.name))
		}},
		"id": {arity: 2, run: func(_ *keys, out []byte, q *request) []byte { return appendInt(out, int(q.from.id)) }},
		"info": {arity: 2, run: func(_ *keys, out []byte, q *request) []byte {
			return appendText(out, q, fmt.Sprintf("id=%d name=%s db=0 lib=%s resp=%d\n", q.from.id, q.from.name, q.from.library, q.from.protocol))
		}},
		"no-evict": {arity: 3, run: onOff},
		"no-touch": {arity: 3, run: onOff},
		"setinfo":  {arity: 4, run: setInfo},
		"setname": {arity: 3, run: func(_ *keys, out []byte, q *request) []byte {
			if !isName(q.arg(2)) {
				return appendError(out, noName)
			}
			q.from.name = string(q.arg(2))
			return appendOK(out)
		}},
	}
}

// longestName bounds what is kept of a library.
const longestName = 128

// setInfo takes the name and the version of a client's library.
func setInfo(_ *keys, out []byte, q *request) []byte {
	value := printable(q.arg(3), longestName)
	switch {
	case !isName(q.arg(3)):
		return appendError(out, "ERR ", strings.ToLower(printable(q.arg(2), 16)), " cannot contain spaces, newlines or special characters.")
	case is(q.arg(2), "lib-name"):
		q.from.library = value
	case is(q.arg(2), "lib-ver"):
		name, _, _ := strings.Cut(q.from.library, "/")
		q.from.library = name + "/" + value
	default:
		return appendError(out, "ERR Unrecognized option '", printable(q.arg(2), 128), "'")
	}
	return appendOK(out)
}

// commandCommands are what follows COMMAND. Nothing is told of a command but its
// name: clients have tables of their own.
func commandCommands(names func() []string) map[string]command {
	return map[string]command{
		"count": {arity: 2, run: func(_ *keys, out []byte, _ *request) []byte { return appendInt(out, len(names())) }},
		"docs":  {arity: -2, run: func(_ *keys, out []byte, q *request) []byte { return appendMap(out, q, 0) }},
		"info": {arity: -2, run: func(_ *keys, out []byte, q *request) []byte {
			out = appendHeader(out, '*', q.n-2)
			for range q.n - 2 {
				out = appendNull(out, q)
			}
			return out
		}},
		"list": {arity: -2, run: func(_ *keys, out []byte, _ *request) []byte {
			all := names()
			out = appendHeader(out, '*', len(all))
			for _, name := range all {
				out = appendBulk(out, []byte(name))
			}
			return out
		}},
	}
}

// info has the sections that are asked for, or all.
func info(k *keys, out []byte, q *request) []byte {
	sections := []struct{ name, text string }{
		{"Server", fmt.Sprintf("redis_version:%s\r\nredis_mode:standalone\r\nserver_name:jay\r\nuptime_in_seconds:%d\r\n", version, k.now()/1000)},
		{"Persistence", "loading:0\r\n"},
		{"Replication", "role:master\r\nconnected_slaves:0\r\n"},
		{"Keyspace", ""},
	}
	if len(k.all) > 0 {
		sections[3].text = fmt.Sprintf("db0:keys=%d,expires=%d,avg_ttl=0\r\n", len(k.all), len(k.expiring))
	}
	var parts []string
	for _, s := range sections {
		wanted := q.n == 1
		for i := 1; i < q.n; i++ {
			name := string(bytes.ToLower(q.arg(i)))
			wanted = wanted || name == strings.ToLower(s.name) || name == "all" || name == "everything" || name == "default"
		}
		if wanted {
			parts = append(parts, "# "+s.name+"\r\n"+s.text)
		}
	}
	return appendText(out, q, strings.Join(parts, "\r\n"))
}

// configCommands are what follows CONFIG: nothing can be set.
func configCommands() map[string]command {
	return map[string]command{"get": {arity: -3, run: configGet}}
}

// configGet takes patterns.
func configGet(_ *keys, out []byte, q *request) []byte {
	var found [][2]string
	for _, p := range [][2]string{
		{"appendonly", "no"}, {"databases", "1"}, {"maxmemory", "0"}, {"proto-max-bulk-len", strconv.Itoa(maxBulk)}, {"save", ""}, {"timeout", "0"},
	} {
		for i := 2; i < q.n; i++ {
			if ok, _ := path.Match(string(bytes.ToLower(q.arg(i))), p[0]); ok {
				found = append(found, p)
				break
			}
		}
	}
	out = appendMap(out, q, len(found))
	for _, p := range found {
		out = appendBulk(appendBulk(out, []byte(p[0])), []byte(p[1]))
	}
	return out
}
