package main

import (
	"testing"

	"github.com/jay-go/jay/internal/exampletest"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

// frame is text as it goes over the wire.
func frame(t *testing.T, text string) string {
	t.Helper()
	b, err := frames().Append(nil, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAnswers(t *testing.T) {
	s := exampletest.Start(t, "--workers", "1")
	p := s.Dial("frame")
	for _, tt := range []struct{ name, request, response string }{
		{"add", `{"id":1,"op":"add","numbers":[1,2,3.5]}`, `{"id":1,"result":6.5}`},
		{"multiply", `{"id":2,"op":"multiply","numbers":[2,21]}`, `{"id":2,"result":42}`},
		{"nothing to add", `{"id":3,"op":"add"}`, `{"id":3,"result":0}`},
		{"unknown", `{"id":4,"op":"divide"}`, `{"id":4,"result":0,"error":"op is add or multiply, not divide"}`},
		{"infinite", `{"id":5,"op":"multiply","numbers":[1e300,1e300]}`, `{"id":5,"result":0,"error":"json: unsupported value: +Inf"}`},
		{"no JSON", `0`, `{"id":0,"result":0,"error":"a request is JSON: json: cannot unmarshal number into Go value of type main.request"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p.Send(frame(t, tt.request))
			p.Expect(frame(t, tt.response))
		})
	}
}

// TestDocumented is the command of the package comment.
func TestDocumented(t *testing.T) {
	p := exampletest.Start(t).Dial("frame")
	p.Send("\000\000\000\053" + `{"id":1,"op":"add","numbers":[1,2,3.5]}`)
	p.CloseWrite()
	p.Expect(frame(t, `{"id":1,"result":6.5}`))
	p.ExpectEnd()
}

// TestSegments: frames do not care how they arrive.
func TestSegments(t *testing.T) {
	p := exampletest.Start(t).Dial("frame")
	request := frame(t, `{"id":7,"op":"add","numbers":[1]}`)
	for i := range request {
		p.Send(request[i : i+1])
	}
	p.Send(request + request)
	for range 3 {
		p.Expect(frame(t, `{"id":7,"result":1}`))
	}
}

// TestRefused: a frame that cannot be is the end of its connection, and of no
// other.
func TestRefused(t *testing.T) {
	s := exampletest.Start(t, "--workers", "1")
	good := s.Dial("frame")
	for _, tt := range []struct{ name, header string }{
		{"empty", "\x00\x00\x00\x04"},
		{"zero", "\x00\x00\x00\x00"},
		{"65537 bytes", "\x00\x01\x00\x01"},
		{"4 GiB", "\xff\xff\xff\xff"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bad := s.Dial("frame")
			bad.Send(tt.header)
			bad.ExpectEnd()
		})
	}
	good.Send(frame(t, `{"id":8,"op":"add","numbers":[1]}`))
	good.Expect(frame(t, `{"id":8,"result":1}`))
}
