package supervise

import (
	"fmt"
	"time"

	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/internal/bytejson"
	"github.com/jay-go/jay/internal/fleet"
)

// Messages between master and worker are JSON: of a worker one a packet of the
// SEQPACKET pair, of the master in parts. A receiver ignores fields and kinds that it does not know, so that a
// master and a worker of different builds get on; what cannot be ignored needs
// a new messageVersion.
const (
	messageVersion = 1

	// maxPacket bounds a part of a message, and what a worker says.
	maxPacket = 64 << 10

	// maxMessage bounds a message of the master. The longest names every socket
	// that a service may have.
	maxMessage = fleet.MaxSockets * maxRole

	// maxRole is the most that a socketRole takes as JSON: its two addresses, of
	// which each byte may be escaped, and the rest.
	maxRole = 2*6*maxAddress + 128
)

type messageKind string

const (
	// From the worker.
	msgReady       messageKind = "ready"
	msgStats       messageKind = "stats"       // response, in parts: Stats, Heap, LogDropped, Health, Loops, Metrics, More
	msgConnections messageKind = "connections" // response, in parts: Connections, More
	msgHealth      messageKind = "health"      // Health
	msgHung        messageKind = "hung"        // Why
	msgRecovered   messageKind = "recovered"   // hung no more
	msgLeave       messageKind = "leave"       // Why: it wants to be replaced
	msgTaken       messageKind = "taken"       // Order: it is carried out
	msgUntaken     messageKind = "untaken"     // Order, Why: it came and cannot be carried out
	msgUnlistened  messageKind = "unlistened"  // it drains and accepts no more

	// From the master. The last three are orders.
	msgAskStats       messageKind = "ask-stats"       // Seq
	msgAskConnections messageKind = "ask-connections" // Seq, Query
	msgDrain          messageKind = "drain"           // Reason, Timeout, Dump, Ending
	msgReload         messageKind = "reload"          // call OnReload and stay
	msgSockets        messageKind = "sockets"         // the whole new set; new ones come as rights
)

type message struct {
	Version     int                      `json:"v"`
	Kind        messageKind              `json:"kind"`
	Seq         uint64                   `json:"seq,omitempty"`
	Order       int                      `json:"order,omitempty"`
	Reason      DrainReason              `json:"reason,omitempty"`
	Timeout     time.Duration            `json:"timeout,omitempty"` // negative: none
	Dump        bool                     `json:"dump,omitempty"`
	Why         string                   `json:"why,omitempty"`
	Stats       *control.Stats           `json:"stats,omitempty"`
	Loops       []control.LoopStats      `json:"loops,omitempty"`
	Metrics     []metricValue            `json:"metrics,omitempty"`
	Health      map[string]string        `json:"health,omitempty"`
	Heap        int64                    `json:"heap,omitempty"`
	LogDropped  int64                    `json:"log_dropped,omitempty"`
	Query       *ConnectionQuery         `json:"query,omitempty"`
	Connections []control.ConnectionInfo `json:"connections,omitempty"`
	Unlisted    bool                     `json:"unlisted,omitempty"` // nobody there knows them
	More        bool                     `json:"more,omitempty"`
	Sockets     []socketRole             `json:"sockets,omitempty"`
	Ending      []int                    `json:"ending,omitempty"` // IDs of sockets that nobody accepts from afterwards
}

// encode gives m as it is sent, of at most so many bytes.
func (m message) encode(most int) ([]byte, error) {
	m.Version = messageVersion
	b, err := bytejson.Encode(m)
	if err != nil {
		return nil, fmt.Errorf("encode message %s: %w", m.Kind, err)
	}
	if len(b) > most {
		return nil, fmt.Errorf("encode message %s: %d bytes, at most %d are allowed", m.Kind, len(b), most)
	}
	return b, nil
}

// decodeMessage reads what encode has given.
func decodeMessage(b []byte) (message, error) {
	var m message
	if len(b) > maxMessage {
		return m, fmt.Errorf("message: %d bytes, at most %d are allowed", len(b), maxMessage)
	}
	if err := bytejson.Decode(b, &m); err != nil {
		return message{}, fmt.Errorf("message: %w", err)
	}
	if m.Version != messageVersion {
		return message{}, fmt.Errorf("message: version %d, this build speaks %d", m.Version, messageVersion)
	}
	if m.Kind == "" {
		return message{}, fmt.Errorf("message: it has no kind")
	}
	return m, nil
}
