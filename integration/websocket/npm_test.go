package websocket

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay/integration/npm"
	"github.com/jay-go/jay/internal/needs"
	"github.com/jay-go/jay/websocket"
)

// wsPackage is the client of TestNPM.
const wsPackage = "ws@8.18.3"

// offer is what npm ws offers; see its documentation. What is nil is absent.
type offer struct {
	ServerNoContextTakeover *bool `json:"serverNoContextTakeover,omitempty"`
	ClientNoContextTakeover *bool `json:"clientNoContextTakeover,omitempty"`
	ServerMaxWindowBits     *int  `json:"serverMaxWindowBits,omitempty"`
	ClientMaxWindowBits     any   `json:"clientMaxWindowBits"` // false: absent; true: without a value
}

// offers is every combination of the four parameters.
func offers() (all []offer) {
	yes, nine, fifteen := true, 9, 15
	for _, server := range []*bool{nil, &yes} {
		for _, client := range []*bool{nil, &yes} {
			for _, serverBits := range []*int{nil, &nine, &fifteen} {
				for _, clientBits := range []any{false, true, 9, 15} {
					all = append(all, offer{server, client, serverBits, clientBits})
				}
			}
		}
	}
	return all
}

// TestNPM: whatever npm ws offers, messages of all sizes come back, text and
// binary, whole and in fragments.
func TestNPM(t *testing.T) {
	node := needs.Program(t, "node")
	modules := npm.Install(t, wsPackage)
	all, err := json.Marshal(offers())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []websocket.Deflate{
		{},
		{ServerTakeover: true, ClientTakeover: true},
		{ServerTakeover: true, ClientWindowBits: 9},
		{ClientTakeover: true, ServerWindowBits: 9, ClientWindowBits: 9},
	} {
		t.Run(fmt.Sprintf("%+v", d), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, node, "testdata/matrix.js", "ws://"+serve(t, d), string(all))
			cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
			out, err := cmd.CombinedOutput()
			want := len(offers()) * 4 * len(sizes)
			if err != nil || strings.TrimSpace(string(out)) != fmt.Sprint(want) {
				t.Errorf("%v, want %d messages:\n%s", err, want, out)
			}
		})
	}
}
