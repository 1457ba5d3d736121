package sys

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// OOMNever is the score of a process that the kernel does not kill for lack of
// memory.
const OOMNever = -1000

// OOMScore is this process's oom_score_adj.
func OOMScore() (int, error) {
	b, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}

// SetOOMScore sets that of a process. To lower it takes CAP_SYS_RESOURCE.
func SetOOMScore(pid, score int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte(strconv.Itoa(score)), 0)
}
