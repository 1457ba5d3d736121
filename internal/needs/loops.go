package needs

import (
	"cmp"
	"os"
	"strconv"
)

// Loops is how many loops a server of a test runs that asks for n itself, 0 for
// however many: as many as JAY_TEST_LOOPS says, so that whole packages can be tested on
// several.
func Loops(n int) int {
	all, _ := strconv.Atoi(os.Getenv("JAY_TEST_LOOPS"))
	return cmp.Or(n, all)
}
