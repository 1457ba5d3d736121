// Background has work beside its server, in processes of their own: a task
// that writes a sample of the machine's load in an interval, and a program
// that throws old samples away. The server answers each line with the newest.
//
//	go run ./examples/background start --every 1s
//	echo | socat -t1 - TCP:127.0.0.1:7005
//
// All three are in status, are restarted when they die, and stop in order.
package main

import (
	"flag"
	"os"
	"path/filepath"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/framing"
	"github.com/jay-go/jay/supervise"
)

func main() {
	s := &samples{}
	flag.StringVar(&s.dir, "dir", filepath.Join(os.TempDir(), "jay-background"), "where the samples are")
	flag.DurationVar(&s.every, "every", time.Second, "the time between two samples")
	flag.IntVar(&s.keep, "keep", 10, "how many samples to keep")
	o := jay.Options{
		Servers: []*jay.Server{{
			Name:     "background",
			Addr:     "tcp://127.0.0.1:7005",
			Workers:  1,
			Protocol: framing.Lines(s.answer),
		}},
		Tasks: []jay.Task{{Name: "sampler", Run: s.sample}},
	}
	o.Programs = []supervise.Program{{Name: "janitor", Count: 1, Run: s.clean}}
	o.Main()
}
