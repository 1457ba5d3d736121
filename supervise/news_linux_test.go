package supervise

import (
	"reflect"
	"testing"

	"github.com/jay-go/jay/internal/fleet"
)

// TestNews: what a worker says becomes the event that the machine knows it by.
func TestNews(t *testing.T) {
	for _, tt := range []struct {
		said message
		want fleet.Event
	}{
		{message{Kind: msgReady}, fleet.Ready{ID: 1}},
		{message{Kind: msgHung, Why: "blocked"}, fleet.Replace{ID: 1, Why: "hung: blocked", Hung: true}},
		{message{Kind: msgRecovered}, fleet.Recovered{ID: 1}},
		{message{Kind: msgLeave, Why: "it has got a signal"}, fleet.Replace{ID: 1, Why: "it has got a signal"}},
		{message{Kind: msgTaken, Order: 7}, fleet.Taken{ID: 1, Order: 7}},
		{message{Kind: msgUntaken, Order: 7, Why: "no room"}, fleet.Undelivered{ID: 1, Order: 7, Why: "no room"}},
		{message{Kind: msgUnlistened}, fleet.Unlistened{ID: 1}},
		{message{Kind: msgStats}, nil},
		{message{Kind: msgConnections}, nil},
		{message{Kind: msgHealth}, nil},
	} {
		if got := newsOf(1, tt.said); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s is %+v, want %+v", tt.said.Kind, got, tt.want)
		}
	}
}

// TestReasons: a worker is told the reason that the machine has.
func TestReasons(t *testing.T) {
	for _, r := range []fleet.Reason{fleet.ReasonStop, fleet.ReasonReload, fleet.ReasonScale, fleet.ReasonReplace} {
		if got := reasonOf(r).String(); got != string(r) {
			t.Errorf("%s is told as %s", r, got)
		}
	}
}
