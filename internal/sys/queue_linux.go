package sys

import (
	"bytes"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// AcceptQueue returns how many connections wait in a listening TCP socket to be
// accepted, and for how many there is room. Both are 0 for other sockets.
func AcceptQueue(fd int) (waiting, room int) {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil || info.State != unix.BPF_TCP_LISTEN {
		return 0, 0
	}
	return int(info.Unacked), int(info.Sacked) // what the fields mean while listening: tcp_get_info
}

// ListenOverflows returns how often a connection found no room in a listening
// socket of this network namespace; 0 where that is not known.
func ListenOverflows() int64 {
	b, err := os.ReadFile("/proc/net/netstat")
	if err != nil {
		return 0
	}
	lines := bytes.Split(b, []byte("\n"))
	for i := 0; i+1 < len(lines); i += 2 { // names, then values
		names, values := bytes.Fields(lines[i]), bytes.Fields(lines[i+1])
		for j := range min(len(names), len(values)) {
			if string(names[j]) == "ListenOverflows" {
				n, _ := strconv.ParseInt(string(values[j]), 10, 64)
				return n
			}
		}
	}
	return 0
}
