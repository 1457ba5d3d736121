package supervise

import (
	"slices"
	"testing"

	"github.com/jay-go/jay/internal/fleet"
)

// TestActivatedFor: sockets of the service manager are found by their address,
// in whatever way it is written, and otherwise by name, each once and in order.
func TestActivatedFor(t *testing.T) {
	list := []activated{
		{FD: 10, Name: "web", Network: "tcp", Bound: "[::]:80"},
		{FD: 11, Name: "dns", Network: "udp", Bound: "127.0.0.1:53"},
		{FD: 12, Name: "dns", Network: "tcp", Bound: "127.0.0.1:53"},
		{FD: 13, Name: "api", Network: "tcp", Bound: "10.0.0.1:8000"},
		{FD: 14, Name: "api", Network: "tcp", Bound: "10.0.0.1:8001"},
		{FD: 15, Name: "api", Network: "unix", Bound: "/run/api"},
		{FD: 16, Name: "api", Network: "", Bound: "/run/packets"},
	}
	for _, test := range []struct {
		program string
		listen  []string
		want    []int // the descriptor for each; 0: none
	}{
		{"x", []string{"tcp://:80", "tcp://[::]:80", "tcp://0.0.0.0:80", "tcp://:81"}, []int{10, 10, 0, 0}},
		{"x", []string{"udp://127.0.0.1:53", "127.0.0.1:53", "tls://127.0.0.1:53", "udp://:53"}, []int{11, 12, 12, 0}},
		{"web", []string{"tcp://0.0.0.0:8080", "tcp://0.0.0.0:8081"}, []int{10, 0}},
		{"web", []string{"tcp://127.0.0.1:1", "tcp://:80"}, []int{0, 10}},
		{"api", []string{"tcp://:1", "unix:///run/other", "tls://:2", "tcp://:3"}, []int{13, 15, 14, 0}},
		{"api", []string{"tcp://10.0.0.1:8001", "tcp://:1"}, []int{14, 13}},
		{"api", []string{"unix:///run/packets", "unix:///run/api"}, []int{0, 15}},
		{"api", []string{"udp://:1"}, []int{0}},
		{"x", []string{"tcp://127.0.0.1:0"}, []int{0}},
	} {
		var got []int
		for at := range test.listen {
			s, _ := activatedFor(list, test.program, test.listen, at)
			got = append(got, s.FD)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("program %s, %q: %v, want %v", test.program, test.listen, got, test.want)
		}
	}
	var left []int
	for _, s := range unserved(list, []fleet.Spec{{Name: "web", Listen: []string{":8080"}}, {Name: "api", Listen: []string{"tcp://:1"}}}) {
		left = append(left, s.FD)
	}
	if want := []int{11, 12, 14, 15, 16}; !slices.Equal(left, want) {
		t.Errorf("nobody serves %v, want %v", left, want)
	}
}
