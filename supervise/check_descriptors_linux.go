package supervise

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// What processes of a service have open, beside the sockets of its addresses. The
// figures are those of /proc/PID/fd, and TestDescriptorsAreCounted holds them
// against it.
const (
	masterOpen   = 16 // standard streams, runtime, control groups, pid file, board, log, control API, its file
	workerStarts = 8  // in the master, while one is started
	perWorker    = 3  // in the master: a worker's control socket, and its output
	reloadOpen   = 4  // in the master: the new file, what it says of itself, who waits for the result
	workerOpen   = 16 // of a worker
)

// descriptors is how many of them a master needs.
type descriptors struct {
	start  uint64 // until all workers are ready
	reload uint64 // with another generation beside them
	most   uint64 // with a third one, which still drains
}

func descriptorsFor(sockets, workers int) descriptors {
	d := descriptors{start: uint64(masterOpen + workerStarts + sockets + perWorker*workers)}
	d.reload = d.start + uint64(reloadOpen+perWorker*workers)
	d.most = d.reload + uint64(1+perWorker*workers) // it has a file as well
	return d
}

// checkDescriptors holds what the processes want against what they may have.
func (k *checker) checkDescriptors() {
	const area = "descriptors"
	limit := k.limit(unix.RLIMIT_NOFILE)
	workers, sockets, all, fine := 0, 0, int64(0), true
	for i := range k.c.programs {
		p := &k.c.programs[i]
		spec := p.spec()
		n := spec.Count
		workers += n
		own := spec.Sockets(n)
		sockets += own
		if wants := uint64(own + workerOpen); wants > limit { // the last worker of a scale has them all
			fine = false
			k.say(checkError, area, fmt.Sprintf("a worker of %s needs %d, %d of them for its sockets, and may have %d (RLIMIT_NOFILE)", p.name(), wants, own, limit),
				k.raise(wants)...)
		}
		all += int64(n) * int64(p.Descriptors)
		if uint64(p.Descriptors) > limit {
			fine = false
			k.say(checkWarning, area, fmt.Sprintf("a worker of %s wants %d (its connections, and some for the rest) and may have %d (RLIMIT_NOFILE)", p.name(), p.Descriptors, limit),
				k.raise(uint64(p.Descriptors))...)
		}
	}
	need := descriptorsFor(sockets, workers)
	short := func(level checkLevel, n uint64, what, then string) {
		fine = false
		k.say(level, area, fmt.Sprintf("the master needs %d %s, and may have %d (RLIMIT_NOFILE)%s", n, what, limit, then), k.raise(need.most)...)
	}
	switch {
	case need.start > limit:
		short(checkError, need.start, "for "+plural(workers, "worker"), "")
	case need.reload > limit:
		short(checkWarning, need.reload, "in a reload or an upgrade, when there are twice "+plural(workers, "worker"), ": they may be refused")
	case need.most > limit:
		short(checkWarning, need.most, "in a reload while workers that an earlier one has replaced still drain", ": it may be refused")
	}
	if most, ok := k.sysctl("fs.file-max"); ok && all+int64(need.start) > most {
		fine = false
		k.say(checkWarning, area, fmt.Sprintf("all processes together want %d open files, and the machine has %d (fs.file-max)", all+int64(need.start), most),
			persistent("fs.file-max", 2*(all+int64(need.start))))
	}
	if fine {
		k.ok(area, "%d in each process (hard limit of RLIMIT_NOFILE)", limit)
	}
}

// raise is how processes get more descriptors.
func (k *checker) raise(n uint64) []string {
	first := ""
	if most, ok := k.sysctl("fs.nr_open"); ok && n > uint64(most) {
		first = persistent("fs.nr_open", int64(n)) + "; then "
	}
	return []string{
		fmt.Sprintf("%sin a systemd unit: LimitNOFILE=%d", first, n),
		fmt.Sprintf("%sas root, in the shell that starts it: ulimit -Hn %d", first, n),
		fmt.Sprintf("%sfor a container: docker run --ulimit nofile=%d:%d", first, n, n),
	}
}
