package framing_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/framing"
)

func ExampleLines() {
	server := &jay.Server{
		Addr:     "tcp://0.0.0.0:7000",
		Protocol: framing.Lines(func(c *jay.Conn, line string) { c.WriteString(line + "\n") }),
	}
	_ = server // jay.Main(server) runs it
}

// A client that sends the name of a file gets the file, and then the end.
func ExampleLines_file() {
	server := &jay.Server{
		Addr: "tcp://0.0.0.0:7000",
		Protocol: framing.Lines(func(c *jay.Conn, name string) {
			f, err := os.Open(filepath.Join("public", filepath.Base(name)))
			if err != nil {
				c.CloseWith([]byte("there is none\n"))
				return
			}
			info, err := f.Stat()
			if err != nil {
				c.CloseOn(jay.SystemFault, errors.Join(err, f.Close()))
				return
			}
			_ = c.WriteFile(f, 0, info.Size()) // which closes f
			c.Close()
		}),
	}
	_ = server // jay.Main(server) runs it
}

// A framing with fields of its own is a value that parses and sends.
func ExampleLengthPrefixed() {
	frames := framing.LengthPrefixed{Size: 2, Max: 1000}
	server := &jay.Server{
		Addr:     "tcp://0.0.0.0:7001",
		Protocol: (frames.Protocol(func(c *jay.Conn, m []byte) { frames.Send(c, m) })),
	}
	_ = server // jay.Main(server) runs it
}

func ExampleWorkerman() {
	b, err := framing.Workerman().Append(nil, []byte("hello"))
	fmt.Printf("%q %v\n", b, err)
	// Output: "\x00\x00\x00\thello" <nil>
}

func ExampleDelimited_Parse() {
	stream := []byte("one\x00two\x00thr")
	for {
		m, n, err := framing.Delimited{}.Parse(stream)
		if n == 0 || err != nil {
			fmt.Printf("%q waits for more, error %v\n", stream, err)
			return
		}
		fmt.Printf("%s\n", m)
		stream = stream[n:]
	}
	// Output:
	// one
	// two
	// "thr" waits for more, error <nil>
}

// What a refused length looks like.
func ExampleLengthPrefixed_Parse() {
	_, _, err := framing.LengthPrefixed{}.Parse([]byte("GET "))
	fmt.Println(err)
	// Output: message too long: a frame of 1195725860 bytes is announced, at most 10485760 are allowed
}

// An order is a message of a protocol of one's own: JSON in frames.
type order struct {
	Item  string
	Count int
}

// orders is the protocol's jay.Codec. The framing inside it brings its Length
// along, so that a long order is not parsed again with each segment.
type orders struct{ framing.LengthPrefixed }

func (p orders) Parse(b []byte) (o order, n int, err error) {
	m, n, err := p.LengthPrefixed.Parse(b)
	if n == 0 || err != nil {
		return o, 0, err
	}
	if err := json.Unmarshal(m, &o); err != nil {
		return o, 0, fmt.Errorf("an order is JSON: %w", err)
	}
	return o, n, nil
}

func (p orders) Append(dst []byte, o order) ([]byte, error) {
	b, err := json.Marshal(o)
	if err != nil {
		return dst, err
	}
	return p.LengthPrefixed.Append(dst, b)
}

// A protocol of one's own is a type for its messages and a jay.Codec that
// parses and appends them; what connections, segments and limits need comes
// with jay.Messages.
func Example_protocolOfYourOwn() {
	codec := orders{framing.LengthPrefixed{Max: 64 << 10, NoCopy: true}}
	handler := &jay.Messages[order]{Codec: codec}
	handler.OnMessage = func(c *jay.Conn, o order) {
		o.Count++
		handler.Send(c, o)
	}
	server := &jay.Server{Addr: "tcp://0.0.0.0:7002", Protocol: handler}
	_ = server // jay.Main(server) runs it

	b, _ := codec.Append(nil, order{Item: "tea", Count: 2})
	fmt.Printf("%q\n", b)
	o, n, err := codec.Parse(b)
	fmt.Println(o.Item, o.Count, n == len(b), err)
	// Output:
	// "\x00\x00\x00\x18{\"Item\":\"tea\",\"Count\":2}"
	// tea 2 true <nil>
}

// A goroutine sends a message by the Ref of a connection.
func ExampleLengthPrefixed_SendRef() {
	frames := framing.LengthPrefixed{}
	server := &jay.Server{
		Addr: "tcp://0.0.0.0:7001",
		Protocol: (frames.Protocol(func(c *jay.Conn, m []byte) {
			ref := c.Ref()
			go func() {
				report := []byte("what takes a while, about " + string(m))
				if err := frames.SendRef(ref, report); err != nil {
					fmt.Println("the client has left, or does not read:", err)
				}
			}()
		})),
	}
	_ = server // jay.Main(server) runs it
}
