package supervise

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/jay-go/jay/internal/fleet"
)

// limits are those of setrlimit(2) that matter to a service. The limit of
// descriptors is the hard one: every process of ours raises its own to that.
type limits map[int]uint64

// limitsHere are those of this process, which all that it starts inherits.
func limitsHere() (limits, error) {
	l := limits{}
	for _, resource := range []int{
		unix.RLIMIT_NOFILE, unix.RLIMIT_AS, unix.RLIMIT_DATA, unix.RLIMIT_NPROC, unix.RLIMIT_FSIZE, unix.RLIMIT_CPU, unix.RLIMIT_STACK, unix.RLIMIT_CORE,
	} {
		var limit unix.Rlimit
		if err := unix.Getrlimit(resource, &limit); err != nil {
			return nil, os.NewSyscallError("getrlimit", err)
		}
		l[resource] = limit.Cur
		if resource == unix.RLIMIT_NOFILE || resource == unix.RLIMIT_CORE {
			l[resource] = limit.Max
		}
	}
	return l, nil
}

// limit is one of the limits; one that is not known is none.
func (k *checker) limit(resource int) uint64 {
	if n, ok := k.limits[resource]; ok {
		return n
	}
	return unix.RLIM_INFINITY
}

// checkLimits is what a start looks at as well: limits under which it would fail
// in the middle, or a process would end without a word.
func (k *checker) checkLimits() {
	k.checkDescriptors()
	k.checkProcesses()
	k.checkSizes()
}

// Threads of a process of ours beside those that run Go code.
const (
	masterThreads = 5 // and spareThreads
	workerThreads = 8
)

// checkSizes holds the other limits against what every process takes. A Go
// process that cannot get memory or a thread ends where it stands.
func (k *checker) checkSizes() {
	const area = "limits"
	before := len(k.findings)
	space, data := k.masterSize()
	k.checkSize("RLIMIT_AS", unix.RLIMIT_AS, space, "address space, of which Go reserves far more than it uses", "AS", "-v")
	k.checkSize("RLIMIT_DATA", unix.RLIMIT_DATA, data, "private memory", "DATA", "-d")
	if most := k.limit(unix.RLIMIT_FSIZE); most != unix.RLIM_INFINITY {
		need := uint64(cellOffset(fleet.MaxProcesses))
		if most < need {
			k.say(checkError, area, fmt.Sprintf("files may have %s (RLIMIT_FSIZE), and the master needs one of %s in memory", size(int64(most)), size(int64(need))), unlimited("FSIZE", "-f")...)
		} else {
			k.say(checkWarning, area, fmt.Sprintf("files may have %s (RLIMIT_FSIZE): what would make the log, or another file, longer is lost", size(int64(most))), unlimited("FSIZE", "-f")...)
		}
	}
	if most := k.limit(unix.RLIMIT_CPU); most != unix.RLIM_INFINITY {
		k.say(checkWarning, area, fmt.Sprintf("each process may take %d s of processor time (RLIMIT_CPU) and is killed then, the master too", most), unlimited("CPU", "-t")...)
	}
	if k.c.coreDumps && k.limit(unix.RLIMIT_CORE) == 0 {
		k.say(checkWarning, area, "core files are asked for (CoreDumps), and there will be none (RLIMIT_CORE is 0)", unlimited("CORE", "-Hc")...)
	}
	if len(k.findings) == before {
		k.ok(area, "none that a service would meet")
	}
}

// runtimeSpace is the address space that Go's runtime takes at least, with libraries.
const runtimeSpace = 1200 << 20

// masterSize is how much address space and private memory a master takes when it
// starts: what this process has, and the threads that it has not made.
func (k *checker) masterSize() (space, data uint64) {
	now, each := k.statusFields("self"), k.threadSize()
	all := uint64(spareThreads() + runtime.GOMAXPROCS(0) + masterThreads + 3)
	more := max(all, now["Threads"]) - now["Threads"]
	space = now["VmSize"]<<10 + more*(each+arenaOf(each))
	if strconv.IntSize == 64 { // where the limit is low, so is what we have
		space = max(space, runtimeSpace+all*(each+arenaOf(each)))
	}
	return space, now["VmData"]<<10 + more*each
}

// checkSize holds one limit of memory against what a master needs of it.
func (k *checker) checkSize(name string, resource int, need uint64, what, unit, flag string) {
	const area = "limits"
	most := k.limit(resource)
	switch {
	case most == unix.RLIM_INFINITY:
	case most < need:
		k.say(checkError, area, fmt.Sprintf("a process may have %s (%s) of %s, and the master needs %s or more", size(int64(most)), name, what, size(int64(need))), sizeFixes(unit, flag)...)
	default:
		k.say(checkWarning, area, fmt.Sprintf("a process may have %s (%s) of %s; the one that needs more ends at once", size(int64(most)), name, what), sizeFixes(unit, flag)...)
	}
}

func sizeFixes(unit, flag string) []string {
	return append(unlimited(unit, flag), "to bound memory: --memory-limit, MemoryMax= in a systemd unit, or docker run --memory")
}

// unlimited is how a limit goes away.
func unlimited(unit, flag string) []string {
	return []string{
		fmt.Sprintf("in the shell that starts it (as root, where the hard limit is too low): ulimit %s unlimited", flag),
		fmt.Sprintf("in a systemd unit: Limit%s=infinity", unit),
	}
}

// threadSize is the stack of a thread as the C library makes it, where there is one:
// Go's own stacks do not count.
func (k *checker) threadSize() uint64 {
	maps, err := os.ReadFile(filepath.Join(k.root, "proc/self/maps"))
	if err == nil && !strings.Contains(string(maps), ".so") {
		return 64 << 10
	}
	if stack := k.limit(unix.RLIMIT_STACK); stack != unix.RLIM_INFINITY {
		return max(stack, 64<<10)
	}
	return 2 << 20
}

// arenaOf is what the C library reserves for the memory of one thread.
func arenaOf(stack uint64) uint64 {
	if stack <= 64<<10 {
		return 0
	}
	return 64 << 20
}

// checkProcesses holds the threads of a service against how many its users may
// have. Root, and who has CAP_SYS_RESOURCE or CAP_SYS_ADMIN, has no limit.
func (k *checker) checkProcesses() {
	const area = "processes"
	most := k.limit(unix.RLIMIT_NPROC)
	if most == unix.RLIM_INFINITY {
		return
	}
	workers, each := 0, runtime.GOMAXPROCS(0)+workerThreads
	for i := range k.c.programs {
		workers += k.c.programs[i].count()
	}
	need := map[int]int{}
	master, theirs := os.Geteuid(), os.Geteuid()
	if k.cred != nil {
		theirs = int(k.cred.Uid)
	}
	if master != 0 && !mayExceedProcesses() {
		need[master] += spareThreads() + runtime.GOMAXPROCS(0) + masterThreads
		if boot.Role != roleDaemon { // which counts the command that waits for it among the others
			need[master] += each
		}
	}
	if theirs != 0 && (theirs != master || need[master] > 0) {
		need[theirs] += workers * each
	}
	for uid, n := range need {
		used := k.threadsOf(uid)
		if uid == master {
			used -= int(k.statusFields("self")["Threads"]) // we are the master, or that command
		}
		who := userName(uint32(uid))
		twice := used + n
		if uid == theirs {
			twice += workers * each
		}
		fixes := []string{
			fmt.Sprintf("in a systemd unit: LimitNPROC=%d, and TasksMax= as much", twice),
			fmt.Sprintf("as root, in the shell that starts it: ulimit -u %d", twice),
			fmt.Sprintf("for a container: docker run --ulimit nproc=%d:%d", twice, twice),
		}
		switch {
		case uint64(used+n) > most:
			k.say(checkError, area, fmt.Sprintf("%s may have %d threads (RLIMIT_NPROC), has %d, and the service needs %d for %s", who, most, used, n, plural(workers, "worker")), fixes...)
		case uint64(twice) > most:
			k.say(checkWarning, area, fmt.Sprintf("%s may have %d threads (RLIMIT_NPROC), and needs %d in a reload, when there are twice %s: it may be refused", who, most, twice,
				plural(workers, "worker")), fixes...)
		}
	}
}

// mayExceedProcesses reports the capabilities for which there is no limit.
func mayExceedProcesses() bool {
	fields, err := statusFields("/proc/self/status")
	caps, e := strconv.ParseUint(strings.TrimSpace(fields["CapEff"]), 16, 64)
	return err == nil && e == nil && caps&(1<<unix.CAP_SYS_RESOURCE|1<<unix.CAP_SYS_ADMIN) != 0
}

// threadsOf counts the threads of a user, as far as they are to be seen.
func (k *checker) threadsOf(uid int) (n int) {
	dirs, _ := filepath.Glob(filepath.Join(k.root, "proc/[0-9]*"))
	for _, dir := range dirs {
		if f := k.statusFields(filepath.Base(dir)); f["Uid"] == uint64(uid) {
			n += int(f["Threads"])
		}
	}
	return n
}

// statusFields are the numbers of a process's status: the first one of each line.
func (k *checker) statusFields(pid string) map[string]uint64 {
	numbers := map[string]uint64{}
	fields, err := statusFields(filepath.Join(k.root, "proc", pid, "status"))
	if err != nil {
		return numbers
	}
	for name, text := range fields {
		if f := strings.Fields(text); len(f) > 0 {
			if n, err := strconv.ParseUint(f[0], 10, 64); err == nil {
				numbers[name] = n
			}
		}
	}
	return numbers
}

// startLimits is what check says of the limits, for a start: the first that it
// would fail under is the error, others are warnings.
func (c *config) startLimits() (warnings []finding, err error) {
	k := &checker{c: c, root: "/"}
	if k.limits, err = limitsHere(); err != nil {
		return nil, err
	}
	if c.user != "" || c.group != "" {
		k.cred, _ = lookUp(c.user, c.group) // an error is another's to tell
	}
	k.checkLimits()
	for _, f := range k.findings {
		switch f.level {
		case checkError:
			return nil, fmt.Errorf("%s: %s; to do: %s", f.area, f.found, strings.Join(f.fixes, "; or: "))
		case checkWarning:
			warnings = append(warnings, f)
		}
	}
	return warnings, nil
}
