package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jay-go/jay/bench/codec"
)

// A figure is one thing that is measured, of several servers, with jay's goal.
type figure struct {
	name    string
	what    string // what was done to get it, for the reader of the report
	servers []server
	goal    float64 // jay's value must not exceed it; 0: no goal
	unit    string
	missing string // why the goal is missed, for the report of a run in which it is
	measure func(context.Context, *bench, figure, options) (result, error)
	load    load                          // of CPU figures
	codecs  func() []codec.Implementation // of message figures, in the place of servers
}

func (f figure) goalText() string {
	if f.goal == 0 {
		return "none"
	}
	return fmt.Sprintf("≤ %g %s", f.goal, f.unit)
}

// A value is a server's figure: the number that is held against the goal and
// the text that the report shows.
type value struct {
	server string
	value  float64
	text   string
}

type result struct {
	figure figure
	values []value
}

func (r result) jay() value {
	for _, v := range r.values {
		if v.server == jay.name {
			return v
		}
	}
	return value{text: "not measured"}
}

// missed reports whether jay is beyond so many times its goal.
func (r result) missed(times float64) bool {
	return r.figure.goal > 0 && r.jay().value > times*r.figure.goal
}

// figures is the table of all there is to measure.
var figures = []figure{
	{
		name:    "CPU per request",
		what:    "64 keep-alive connections, one request at a time on each",
		servers: []server{floorEachRead, jay, netHTTP, fastHTTP, nginx},
		goal:    1.25, unit: "× floor",
		measure: cpuPerRequest,
		load:    load{connections: 64, pipeline: 1},
	},
	{
		name:    "CPU per request, pipelined",
		what:    "64 keep-alive connections, 16 requests in each segment",
		servers: []server{floorEachRequest, jay, netHTTP, fastHTTP, nginx},
		goal:    2.0, unit: "× floor",
		measure: cpuPerRequest,
		load:    load{connections: 64, pipeline: 16},
	},
	{
		name:    "CPU per request, each on a new connection",
		what:    "64 clients that say Connection: close",
		servers: []server{nginx, jay, netHTTP, fastHTTP, floorEachConn},
		goal:    1.0, unit: "× nginx",
		measure: cpuPerRequest,
		load:    load{connections: 64, pipeline: 1, close: true},
	},
	{
		name:    "CPU per request, two loops in one process",
		what:    "64 keep-alive connections; jay with --loops 2 beside jay with --workers 2, and each of them, like its client, may use both cores",
		servers: []server{jayTwoWorkers, jayTwoLoops},
		goal:    1.05, unit: "× two workers",
		measure: cpuPerRequest,
		load:    load{connections: 64, pipeline: 1, cores: bothCores},
	},
	{
		name:    "CPU per request on 9,000 busy connections",
		what:    "of what the same server takes per request on 64; they are opened meanwhile",
		servers: []server{jay, nginx, floorEachRead},
		goal:    1.35, unit: "× that on 64",
		measure: cpuOfACrowd,
	},
	{
		name:    "Memory in use per idle connection",
		what:    "heap and stacks in use after a GC, after one request on each connection; slope from 3,000 to 9,000 connections",
		servers: []server{jay, netHTTP, fastHTTP},
		goal:    600, unit: "bytes",
		measure: memoryInUse,
	},
	{
		name:    "Anonymous memory per idle connection",
		what:    "the worker process's RssAnon at the same two moments; it depends on the collector's history",
		servers: []server{jay, netHTTP, fastHTTP, nginx, floorEachRead},
		unit:    "bytes",
		measure: memoryAnonymous,
	},
	{
		name:    "Time to the replacement of a killed worker",
		what:    "from kill -9 of the only worker to the first answer of the next; median of 20",
		servers: []server{jay, nginx},
		goal:    100, unit: "ms",
		measure: replacement,
	},
	{
		name:   "Parsing a request",
		what:   "the head of a browser's request, 12 fields; fasthttp and net/http read from a bufio.Reader, as they must",
		codecs: codec.Parsers,
		goal:   0.8, unit: "× fasthttp",
		measure: nsPerMessage,
	},
	{
		name:   "Serialising a response",
		what:   "head and 13 bytes of body into a buffer; net/http writes to io.Discard, as it must",
		codecs: codec.Serialisers,
		goal:   0.8, unit: "× fasthttp",
		measure: nsPerMessage,
	},
	{
		name:   "Serialising a response with five named fields",
		what:   "the same, with five fields that are set by name",
		codecs: codec.FieldSerialisers,
		goal:   0.8, unit: "× fasthttp",
		measure: nsPerMessage,
	},
	{
		name:    "Waiting beside slow clients",
		what:    "99th percentile of 16 good clients' waits, while 2,000 others send a head or a body, a byte a second",
		servers: []server{jay, netHTTP, fastHTTP, nginx},
		unit:    "ms",
		measure: besideSlowClients,
	},
}

// connectionFigures are those of connections without HTTP. CPU is held against
// the first server.
var connectionFigures = []figure{
	{
		name:    "CPU per MiB through a TCP proxy",
		what:    "2 GiB on one connection",
		servers: []server{haProxy, jayProxy, haSplice, socat},
		goal:    1, unit: "× haproxy",
		measure: proxyCost,
	},
	{
		name:    "Memory that 2 GiB through a TCP proxy take",
		what:    "by how much the process's RssAnon grows at most meanwhile, after 64 MiB to begin with",
		servers: []server{jayProxy, haProxy, haSplice, socat},
		goal:    4096, unit: "KiB",
		measure: proxyMemory,
	},
	{
		name:    "CPU per SET of a key-value server",
		what:    "redis-benchmark on examples/resp and redis-server, 50 connections, 10,000 keys",
		servers: []server{redis, resp},
		goal:    1.2, unit: "× redis",
		measure: operationCost("set", 1),
	},
	{
		name:    "CPU per GET of a key-value server",
		what:    "the same",
		servers: []server{redis, resp},
		goal:    1.2, unit: "× redis",
		measure: operationCost("get", 1),
	},
	{
		name:    "CPU per SET of a key-value server, pipelined",
		what:    "16 requests in each segment",
		servers: []server{redis, resp},
		goal:    1.2, unit: "× redis",
		measure: operationCost("set", 16),
	},
	{
		name:    "CPU per GET of a key-value server, pipelined",
		what:    "the same",
		servers: []server{redis, resp},
		goal:    1.2, unit: "× redis",
		measure: operationCost("get", 16),
	},
	{
		name:    "CPU at rest with 9,000 idle connections",
		what:    "of the worker, in percent of a core; each connection has its idle timeout",
		servers: []server{idleFor(time.Hour)},
		goal:    0.5, unit: "%",
		measure: cpuAtRest,
	},
	{
		name:    "Closing 9,000 idle connections",
		what:    "how long after its idle timeout of 10 s the last of them sees its end, none too early; the least of the rounds",
		servers: []server{idleFor(soon)},
		goal:    100, unit: "ms",
		measure: idleEnd,
	},
	{
		name:    "Time until a context ends whose client has left",
		what:    "the greatest of 60: a response given later, with and without unread requests behind it, and an upload that is paused",
		servers: []server{leftServer},
		goal:    100, unit: "ms",
		measure: contextEnd,
	},
	{
		name:    "CPU of connections on which nothing can move",
		what:    "of the worker of a TCP proxy, in percent of a core; 50 connections whose buffers are full one way or both, some with a FIN or a reset behind that",
		servers: []server{jayProxy},
		goal:    1, unit: "%",
		measure: cpuStuck,
	},
	{
		name:    "Memory of 120 bodies that do not end",
		what:    "the most that the worker's RssAnon comes to while 120 clients send 9 of 10 MiB each and its budget (MaxBuffered) is 32 MiB",
		servers: []server{heldServer},
		goal:    80, unit: "MiB",
		measure: memoryHeld(beginBody),
	},
	{
		name:    "Memory of 120 WebSocket messages that do not end",
		what:    "the same, in one frame each",
		servers: []server{heldServer},
		goal:    80, unit: "MiB",
		measure: memoryHeld(beginMessage),
	},
}
