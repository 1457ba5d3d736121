// Frame adds numbers for clients that send JSON in frames: a length of four
// bytes, big-endian, that counts itself, as in workerman's frame protocol.
//
//	go run ./examples/frame start
//	printf '\0\0\0\053{"id":1,"op":"add","numbers":[1,2,3.5]}' | socat -t1 - TCP:127.0.0.1:7001
package main

import (
	"encoding/json"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/framing"
)

func main() {
	jay.Main(&jay.Server{
		Name:     "frame",
		Addr:     "tcp://127.0.0.1:7001",
		Protocol: frames().Protocol(answer),
	})
}

// frames is the framing in both directions.
func frames() framing.LengthPrefixed {
	f := framing.Workerman()
	f.Max = 64 << 10
	return f
}

type request struct {
	ID      int       `json:"id"`
	Op      string    `json:"op"` // "add" or "multiply"
	Numbers []float64 `json:"numbers"`
}

type response struct {
	ID     int     `json:"id"`
	Result float64 `json:"result"`
	Error  string  `json:"error,omitempty"`
}

// answer is called once for each frame.
func answer(c *jay.Conn, frame []byte) {
	var q request
	if err := json.Unmarshal(frame, &q); err != nil {
		reply(c, response{Error: "a request is JSON: " + err.Error()})
		return
	}
	result, problem := calculate(q)
	reply(c, response{q.ID, result, problem})
}

func reply(c *jay.Conn, r response) {
	b, err := json.Marshal(r)
	if err != nil { // a result that JSON cannot express: infinity
		b, err = json.Marshal(response{ID: r.ID, Error: err.Error()})
	}
	if err == nil {
		err = frames().Send(c, b)
	}
	if err != nil {
		c.CloseOn(jay.ProgramFault, err)
	}
}

func calculate(q request) (result float64, problem string) {
	switch q.Op {
	case "add":
		for _, n := range q.Numbers {
			result += n
		}
	case "multiply":
		result = 1
		for _, n := range q.Numbers {
			result *= n
		}
	default:
		return 0, "op is add or multiply, not " + q.Op
	}
	return result, ""
}
