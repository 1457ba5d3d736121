package supervise

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// memoryPlan says how much memory the workers may take: each is told by
// GOMEMLIMIT, so that its collector works harder rather than the kernel kills it.
type memoryPlan struct {
	total int64  // of all processes, in bytes; 0: no limit is known
	from  string // what total is from
	user  string // GOMEMLIMIT as the user has set it, which everybody inherits
}

// What the workers do not get: for the master, and for what the kernel charges
// to the group (sockets, page tables, pages of files).
const (
	memoryReserve    = 32 << 20 // at least, but at most half of everything
	memoryReservePer = 10       // a tenth of everything, where that is more

	// leastMemory is what a worker gets in any case: with less a collector does
	// nothing but collect.
	leastMemory = 16 << 20
)

// planMemory decides what the workers' limits follow from: the user's
// GOMEMLIMIT, the option (see Options.MemoryLimit), or the group's limit.
func planMemory(user string, option, group int64, groupDir string) memoryPlan {
	switch {
	case user != "":
		return memoryPlan{user: user}
	case option < 0:
		return memoryPlan{}
	case option > 0:
		return memoryPlan{total: option, from: "--memory-limit"}
	case group > 0:
		return memoryPlan{total: group, from: groupDir}
	}
	return memoryPlan{}
}

// share is what each of n workers would get, less than leastMemory included.
func (p memoryPlan) share(n int) int64 {
	reserve := min(max(memoryReserve, p.total/memoryReservePer), p.total/2)
	return (p.total - reserve) / int64(max(n, 1))
}

// each is the GOMEMLIMIT of each of n workers; 0 where they get none from us.
func (p memoryPlan) each(n int) int64 {
	if p.total == 0 {
		return 0
	}
	return max(p.share(n), leastMemory)
}

// withMemoryLimit is an environment with the limit, or as it was for none.
func withMemoryLimit(env []string, limit int64) []string {
	if limit == 0 {
		return env
	}
	env = slices.DeleteFunc(env, func(v string) bool { return strings.HasPrefix(v, "GOMEMLIMIT=") }) // it is empty
	return append(env, "GOMEMLIMIT="+strconv.FormatInt(limit, 10))
}

// sizeFlag is a flag of bytes: auto is 0, off is negative.
type sizeFlag struct{ n *int64 }

func (f sizeFlag) String() string {
	switch {
	case f.n == nil || *f.n == 0:
		return "auto"
	case *f.n < 0:
		return "off"
	}
	return strconv.FormatInt(*f.n, 10)
}

func (f sizeFlag) Set(s string) error {
	n, err := parseSize(s)
	if err == nil {
		*f.n = n
	}
	return err
}

// parseSize reads bytes with a binary unit: 512M, 2GiB, 1073741824; auto and off.
func parseSize(s string) (int64, error) {
	switch strings.ToLower(s) {
	case "auto":
		return 0, nil
	case "off":
		return -1, nil
	}
	number := strings.TrimRight(s, "iBb")
	shift := 0
	if number != "" {
		if i := strings.IndexByte("KMGT", number[len(number)-1]&^0x20); i >= 0 {
			shift, number = 10*(i+1), number[:len(number)-1]
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64>>shift {
		return 0, fmt.Errorf("%q is not a size; write for example 512M or 2G, auto for that of the control group, or off", s)
	}
	return n << shift, nil
}
