package main

import (
	"maps"
	"math"
	"slices"
	"strconv"
)

// command is how a request is answered: run appends the reply to out.
type command struct {
	arity int // how many strings a request has, the name included; negative: at least
	run   func(k *keys, out []byte, q *request) []byte
	last  bool               // the connection is closed afterwards
	sub   map[string]command // by the second word, in lower case; run is for requests without one
}

// commands are all there are, by name in lower case.
func commands() map[string]command {
	all := map[string]command{
		"append":   {arity: 3, run: doAppend},
		"auth":     {arity: -2, run: auth},
		"client":   {arity: -2, sub: clientCommands()},
		"config":   {arity: -2, sub: configCommands()},
		"dbsize":   {arity: 1, run: func(k *keys, out []byte, _ *request) []byte { return appendInt(out, len(k.all)) }},
		"decr":     {arity: 2, run: add(-1)},
		"decrby":   {arity: 3, run: add(-1)},
		"del":      {arity: -2, run: count((*keys).del)},
		"echo":     {arity: 2, run: func(_ *keys, out []byte, q *request) []byte { return appendBulk(out, q.arg(1)) }},
		"exists":   {arity: -2, run: count(func(*keys, []byte) {})},
		"expire":   {arity: 3, run: expire},
		"flushall": {arity: -1, run: flushAll},
		"get":      {arity: 2, run: func(k *keys, out []byte, q *request) []byte { return appendValue(out, q, k.get(q.arg(1))) }},
		"hello":    {arity: -1, run: hello},
		"incr":     {arity: 2, run: add(1)},
		"incrby":   {arity: 3, run: add(1)},
		"info":     {arity: -1, run: info},
		"mget":     {arity: -2, run: mget},
		"mset":     {arity: -3, run: mset},
		"ping":     {arity: -1, run: ping},
		"quit":     {arity: -1, run: func(_ *keys, out []byte, _ *request) []byte { return appendOK(out) }, last: true},
		"reset":    {arity: 1, run: resetClient},
		"select":   {arity: 2, run: selectDB},
		"set":      {arity: -3, run: set},
		"strlen":   {arity: 2, run: strlen},
		"ttl":      {arity: 2, run: ttl},
	}
	names := func() []string { return slices.Sorted(maps.Keys(all)) }
	all["command"] = command{arity: -1, sub: commandCommands(names), run: func(_ *keys, out []byte, _ *request) []byte {
		return appendHeader(out, '*', 0)
	}}
	return all
}

func ping(_ *keys, out []byte, q *request) []byte {
	switch q.n {
	case 1:
		return append(out, "+PONG\r\n"...)
	case 2:
		return appendBulk(out, q.arg(1))
	}
	return appendError(out, "ERR wrong number of arguments for 'ping' command")
}

// set has the options EX, PX, NX and XX.
func set(k *keys, out []byte, q *request) []byte {
	var expires int64
	var onlyNew, onlyOld bool
	for i := 3; i < q.n; i++ {
		var unit int64
		switch option := q.arg(i); {
		case is(option, "nx") && !onlyOld:
			onlyNew = true
			continue
		case is(option, "xx") && !onlyNew:
			onlyOld = true
			continue
		case is(option, "ex"):
			unit = 1000
		case is(option, "px"):
			unit = 1
		}
		if i++; unit == 0 || i == q.n || expires != 0 {
			return appendError(out, "ERR syntax error")
		}
		n, ok := parseInt(q.arg(i))
		if !ok {
			return appendNotInteger(out)
		}
		if n <= 0 || n > (math.MaxInt64-k.now())/unit {
			return appendError(out, "ERR invalid expire time in 'set' command")
		}
		expires = k.now() + n*unit
	}
	if onlyNew || onlyOld {
		if exists := k.get(q.arg(1)) != nil; exists == onlyNew {
			return appendNull(out, q)
		}
	}
	e := k.put(q.arg(1), q.arg(2))
	if expires != 0 {
		k.expire(q.arg(1), e, expires)
	}
	return appendOK(out)
}

func mset(k *keys, out []byte, q *request) []byte {
	if q.n%2 == 0 {
		return appendError(out, "ERR wrong number of arguments for 'mset' command")
	}
	for i := 1; i < q.n; i += 2 {
		k.put(q.arg(i), q.arg(i+1))
	}
	return appendOK(out)
}

// mget refuses what would be a very long reply: one key may be named often.
func mget(k *keys, out []byte, q *request) []byte {
	begin := len(out)
	out = appendHeader(out, '*', q.n-1)
	for i := 1; i < q.n; i++ {
		if out = appendValue(out, q, k.get(q.arg(i))); len(out)-begin > maxReply {
			return appendError(out[:begin], "ERR the reply is longer than ", strconv.Itoa(maxReply), " bytes")
		}
	}
	return out
}

// count is for what is done to each of some keys, and counts those that exist.
func count(each func(k *keys, key []byte)) func(*keys, []byte, *request) []byte {
	return func(k *keys, out []byte, q *request) []byte {
		n := 0
		for i := 1; i < q.n; i++ {
			if k.get(q.arg(i)) != nil {
				each(k, q.arg(i))
				n++
			}
		}
		return appendInt(out, n)
	}
}

// add is INCR and DECR, with and without BY. The key keeps its time.
func add(sign int64) func(*keys, []byte, *request) []byte {
	return func(k *keys, out []byte, q *request) []byte {
		by, was, ok := int64(1), int64(0), true
		if q.n == 3 {
			by, ok = parseInt(q.arg(2))
		}
		e := k.get(q.arg(1))
		if ok && e != nil {
			was, ok = parseInt(e.value)
		}
		if !ok {
			return appendNotInteger(out)
		}
		if sign < 0 && by == math.MinInt64 {
			return appendError(out, "ERR decrement would overflow")
		}
		by *= sign
		if by > 0 && was > math.MaxInt64-by || by < 0 && was < math.MinInt64-by {
			return appendError(out, "ERR increment or decrement would overflow")
		}
		if e == nil {
			e = k.put(q.arg(1), nil)
		}
		e.value = strconv.AppendInt(e.value[:0], was+by, 10)
		return appendInt(out, int(was+by))
	}
}

func doAppend(k *keys, out []byte, q *request) []byte {
	e := k.get(q.arg(1))
	if e == nil {
		e = k.put(q.arg(1), nil)
	}
	if len(e.value)+len(q.arg(2)) > maxBulk {
		return appendError(out, "ERR string exceeds maximum allowed size (proto-max-bulk-len), which is ", strconv.Itoa(maxBulk), " bytes")
	}
	e.value = append(e.value, q.arg(2)...)
	return appendInt(out, len(e.value))
}

func strlen(k *keys, out []byte, q *request) []byte {
	if e := k.get(q.arg(1)); e != nil {
		return appendInt(out, len(e.value))
	}
	return appendInt(out, 0)
}

func expire(k *keys, out []byte, q *request) []byte {
	n, ok := parseInt(q.arg(2))
	if !ok {
		return appendNotInteger(out)
	}
	if n > (math.MaxInt64-k.now())/1000 || n < math.MinInt64/1000 {
		return appendError(out, "ERR invalid expire time in 'expire' command")
	}
	e := k.get(q.arg(1))
	switch {
	case e == nil:
		return appendInt(out, 0)
	case n <= 0:
		k.del(q.arg(1))
	default:
		k.expire(q.arg(1), e, k.now()+n*1000)
	}
	return appendInt(out, 1)
}

func ttl(k *keys, out []byte, q *request) []byte {
	e := k.get(q.arg(1))
	switch {
	case e == nil:
		return appendInt(out, -2)
	case e.expires == 0:
		return appendInt(out, -1)
	}
	return appendInt(out, int((e.expires-k.now()+500)/1000))
}

func flushAll(k *keys, out []byte, q *request) []byte {
	if q.n > 2 || q.n == 2 && !is(q.arg(1), "sync") && !is(q.arg(1), "async") {
		return appendError(out, "ERR syntax error")
	}
	k.flush()
	return appendOK(out)
}
