package supervise

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jay-go/jay/internal/addr"
	"github.com/jay-go/jay/internal/cgroup"
)

// checkQueues holds the backlogs against what the kernel lets be.
func (k *checker) checkQueues() {
	const area = "accept queue"
	most, known := k.sysctl("net.core.somaxconn")
	syn, _ := k.sysctl("net.ipv4.tcp_max_syn_backlog")
	cookies, haveCookies := k.sysctl("net.ipv4.tcp_syncookies")
	longest, fine := 0, true
	for i := range k.c.programs {
		p := &k.c.programs[i]
		if !listens(p) {
			continue
		}
		longest = max(longest, p.backlog())
		if known && int64(p.backlog()) > most {
			fine = false
			k.say(checkWarning, area, fmt.Sprintf("%s asks for a backlog of %d, which the kernel cuts to %d (net.core.somaxconn)", p.name(), p.backlog(), most),
				persistent("net.core.somaxconn", int64(p.backlog())))
		}
		if haveCookies && cookies == 0 && int64(p.backlog()) > syn {
			fine = false
			k.say(checkWarning, area, fmt.Sprintf("%s asks for a backlog of %d, but without SYN cookies only %d handshakes may be under way", p.name(), p.backlog(), syn),
				persistent("net.ipv4.tcp_syncookies", 1), persistent("net.ipv4.tcp_max_syn_backlog", int64(p.backlog())))
		}
	}
	if fine && known && longest > 0 {
		k.ok(area, "a backlog of %d; the kernel allows %d (net.core.somaxconn)", longest, most)
	}
}

// listens reports whether a program has an address with connections.
func listens(p *Program) bool {
	for _, text := range p.Listen {
		if a, err := addr.Parse(text); err == nil && !a.Datagram() {
			return true
		}
	}
	return false
}

// persistent is how a setting of the kernel is made now and for later.
func persistent(name string, n int64) string {
	return fmt.Sprintf("sysctl -w %s=%d, and the line %s = %d in /etc/sysctl.d/jay.conf", name, n, name, n)
}

// checkMemory holds the workers against the memory that there is.
func (k *checker) checkMemory() {
	const area = "memory"
	plan := memoryPlanHere(k.root, k.c.memory)
	n := 0
	for i := range k.c.programs {
		n += k.c.programs[i].count()
	}
	switch {
	case plan.user != "":
		k.checkUserLimit(plan.user, n)
		return
	case plan.total == 0 && k.c.memory < 0:
		k.ok(area, "the workers get no GOMEMLIMIT (--memory-limit off)")
		return
	case plan.total == 0:
		k.ok(area, "no limit of a control group%s; the workers get no GOMEMLIMIT", k.machineMemory())
		return
	}
	if plan.share(n) < leastMemory {
		k.say(checkWarning, area, fmt.Sprintf("%s (%s) is little for %s: %s each, and none gets along with less than %s", size(plan.total), plan.from,
			plural(n, "worker"), size(plan.share(n)), size(leastMemory)),
			fmt.Sprintf("--workers %d", max(plan.share(1)/leastMemory, 1)), "give the service more: MemoryMax= in a systemd unit, docker run --memory")
		return
	}
	fine := true
	for i := range k.c.programs {
		if p := &k.c.programs[i]; p.MaxRSS > plan.each(n) {
			fine = false
			k.say(checkWarning, area, fmt.Sprintf("MaxRSS of %s is %s, but if all %s took that, the kernel would kill at %s (%s)", p.name(), size(p.MaxRSS),
				plural(n, "worker"), size(plan.total), plan.from), fmt.Sprintf("a MaxRSS of at most %s", size(plan.each(n))), "fewer workers, or more memory for the service")
		}
	}
	if fine {
		k.ok(area, "%s (%s): GOMEMLIMIT is %s in each of %s", size(plan.total), plan.from, size(plan.each(n)), plural(n, "worker"))
	}
}

// checkUserLimit holds a GOMEMLIMIT of the environment against the group's.
func (k *checker) checkUserLimit(text string, workers int) {
	const area = "memory"
	each, err := parseSize(text)
	if groups, e := cgroup.MemoryOf(k.root, "self"); e == nil && err == nil && each > 0 {
		if limit, dir := groups.Limit(); limit > 0 && each > limit/int64(workers) {
			k.say(checkWarning, area, fmt.Sprintf("GOMEMLIMIT=%s in each of %s is more than the %s of %s", text, plural(workers, "worker"), size(limit), dir),
				"leave GOMEMLIMIT out: the workers then get their part of the limit")
			return
		}
	}
	k.ok(area, "GOMEMLIMIT=%s of the environment stays as it is", text)
}

// machineMemory is a part of a sentence: what the machine has.
func (k *checker) machineMemory() string {
	b, err := os.ReadFile(filepath.Join(k.root, "proc/meminfo"))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "MemTotal:" {
			if kib, err := strconv.ParseInt(f[1], 10, 64); err == nil {
				return fmt.Sprintf(" (the machine has %s)", size(kib<<10))
			}
		}
	}
	return ""
}
