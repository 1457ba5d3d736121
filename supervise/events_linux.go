package supervise

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/jay-go/jay/internal/bytejson"
)

// events sends what happens to the service as server-sent events, from the
// state that it is in: one for each line that the machine logs ("worker-ready",
// "reload-done"), with the line's fields, and "state" whenever that changes. A
// client that does not keep up gets "missed" with the number that it has not seen.
func (c *controlServer) events(w http.ResponseWriter, r *http.Request) {
	reader := c.m.happened.Join()
	defer reader.Leave()
	var state []byte
	if c.m.do(r.Context(), func() { state = event("state", c.m.state()) }) != nil {
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Write(state)
	c.stream(w, r, reader, func(missed int64) string { return string(event("missed", map[string]any{"events": missed})) })
}

// state is the data of the event of that name.
func (m *master) state() map[string]any {
	return map[string]any{"state": m.stateName(), "generation": m.machine.Generation}
}

// event encodes one event.
func event(name string, data map[string]any) []byte {
	data["time"] = time.Now().Format(time.RFC3339Nano)
	b, err := bytejson.Encode(data)
	if err != nil { // figures and text always encode
		b = []byte("{}")
	}
	return fmt.Appendf(nil, "event: %s\ndata: %s\n\n", name, b)
}

// happen publishes a line of the machine's log as an event.
func (m *master) happen(text string, args []any) {
	if !m.happened.HasReaders() {
		return
	}
	data := map[string]any{}
	for i := 0; i+1 < len(args); i += 2 {
		name, value := fmt.Sprint(args[i]), args[i+1]
		switch v := value.(type) {
		case error:
			value = v.Error()
		case time.Duration:
			name, value = name+"_s", seconds(v)
		}
		data[name] = value
	}
	m.happened.Send(event(strings.ReplaceAll(text, " ", "-"), data))
}

// tellState publishes the state when it is another than before.
func (m *master) tellState() {
	now := fmt.Sprint(m.state())
	if now != m.told {
		m.told = now
		m.happened.Send(event("state", m.state()))
	}
}

// metrics answers with the status in the text format of Prometheus.
func (c *controlServer) metrics(w http.ResponseWriter, r *http.Request) {
	s, ok := c.ask(r)
	if !ok {
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	io.WriteString(w, metricsText(s))
}
