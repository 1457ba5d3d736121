// Package needs tells tests what they cannot do without. A test whose needs
// are not met is skipped with the reason; where the environment has JAY_CI=1
// it fails instead, so that a check cannot vanish from CI unnoticed.
package needs

import (
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
)

// Program returns the path of the named program.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		unmet(t, "needs the program "+name+", which is not in PATH")
	}
	return path
}

// Root continues only with the rights of root.
func Root(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		unmet(t, "needs to run as root")
	}
}

// Linux continues only on Linux: worker processes exist nowhere else. It skips
// elsewhere even in CI.
func Linux(t testing.TB) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("needs Linux, this is " + runtime.GOOS)
	}
}

// That continues only where ok holds; what says what it is that is needed.
func That(t testing.TB, ok bool, what string) {
	t.Helper()
	if !ok {
		unmet(t, "needs "+what)
	}
}

func unmet(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("JAY_CI") == "1" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// RaceDetector reports whether the test binary has the race detector, with
// which everything needs more time and memory.
func RaceDetector() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
