// Package redis tests examples/resp with clients that programs use for Redis,
// as they start when nothing is set.
package redis

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	goredis "github.com/redis/go-redis/v9"

	"github.com/jay-go/jay/integration/npm"
	"github.com/jay-go/jay/internal/exampletest"
	"github.com/jay-go/jay/internal/needs"
)

// value is the longest that examples/resp takes.
var value = strings.Repeat("0123456789abcdef", 8<<20/16)

// TestNode: node-redis and ioredis, of the last two major versions each.
func TestNode(t *testing.T) {
	node := needs.Program(t, "node")
	addr := exampletest.StartOther(t, "resp").Addr("resp")
	for _, tt := range []struct{ name, script string }{
		{"redis@4.7.1", "node-redis.js"},
		{"redis@5.12.1", "node-redis.js"},
		{"ioredis@5.11.1", "ioredis.js"},
		{"ioredis@6.0.0", "ioredis.js"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			modules := npm.Install(t, tt.name)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, node, "testdata/"+tt.script, addr)
			cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
			if out, err := cmd.CombinedOutput(); err != nil || string(out) != "ok\n" {
				t.Errorf("%v:\n%s", err, out)
			}
		})
	}
}

// TestGoRedis speaks RESP3 when it may.
func TestGoRedis(t *testing.T) {
	addr := exampletest.StartOther(t, "resp").Addr("resp")
	for name, o := range map[string]*goredis.Options{
		"default": {Addr: addr},
		"RESP2":   {Addr: addr, Protocol: 2, ClientName: "a", Username: "default", Password: "x"},
	} {
		t.Run(name, func(t *testing.T) {
			c := goredis.NewClient(o)
			defer c.Close()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := c.Set(ctx, "k", value, time.Hour).Err(); err != nil {
				t.Fatal(err)
			}
			if got, err := c.Get(ctx, "k").Result(); got != value || err != nil {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			if err := c.Get(ctx, "none").Err(); err != goredis.Nil {
				t.Errorf("a key that is not there: %v", err)
			}
			if set, err := c.SetNX(ctx, "k", "x", 0).Result(); set || err != nil {
				t.Errorf("SETNX: %v, %v", set, err)
			}
			if all, err := c.MGet(ctx, "none", "k").Result(); err != nil || len(all) != 2 || all[0] != nil || all[1] != value {
				t.Errorf("MGET: %d, %v", len(all), err)
			}
			if got, err := c.ConfigGet(ctx, "databases").Result(); got["databases"] != "1" || err != nil {
				t.Errorf("CONFIG GET: %v, %v", got, err)
			}
			if text, err := c.Info(ctx).Result(); !strings.Contains(text, "redis_version:") || err != nil {
				t.Errorf("INFO: %q, %v", text, err)
			}
			pipe := c.Pipeline()
			n := pipe.IncrBy(ctx, "n "+name, 41)
			m := pipe.Incr(ctx, "n "+name)
			if _, err := pipe.Exec(ctx); err != nil || n.Val() != 41 || m.Val() != 42 {
				t.Errorf("a pipeline: %v, %d, %d", err, n.Val(), m.Val())
			}
		})
	}
}

func TestRedigo(t *testing.T) {
	addr := exampletest.StartOther(t, "resp").Addr("resp")
	c, err := redis.Dial("tcp", addr, redis.DialDatabase(0), redis.DialClientName("a"), redis.DialUsername("default"), redis.DialPassword("x"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Do("SET", "k", value); err != nil {
		t.Fatal(err)
	}
	if got, err := redis.String(c.Do("GET", "k")); got != value || err != nil {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := redis.String(c.Do("GET", "none")); err != redis.ErrNil {
		t.Errorf("a key that is not there: %v", err)
	}
	if _, err := c.Do("SET", "k", value+"x"); err == nil || !strings.Contains(err.Error(), "8388608") {
		t.Errorf("a value that is too long: %v; want the limit", err)
	}
}
