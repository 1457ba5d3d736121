package supervise

import (
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/jay-go/jay/internal/stack"
)

func TestWriteVersion(t *testing.T) {
	goVersion := runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH + "\n"
	revision := []debug.BuildSetting{{Key: "vcs.revision", Value: "1a2b"}, {Key: "vcs.time", Value: "2026-11-25T10:00:00Z"}}
	for _, tt := range []struct {
		name string
		info *debug.BuildInfo
		want string
	}{
		{"no build information", nil, ""},
		{"nothing known", &debug.BuildInfo{}, ""},
		{"a program with jay as a dependency", &debug.BuildInfo{Deps: []*debug.Module{{Path: "example.com/x", Version: "v3"}, {Path: stack.Framework, Version: "v1.2.0"}}},
			stack.Framework + " v1.2.0\n"},
		{"a checkout of jay in its place", &debug.BuildInfo{Deps: []*debug.Module{{Path: stack.Framework, Version: "v1.2.0", Replace: &debug.Module{Path: "../jay"}}}},
			stack.Framework + " => ../jay\n"},
		{"from a repository", &debug.BuildInfo{Settings: revision}, "revision 1a2b of 2026-11-25T10:00:00Z\n"},
		{"with changes that are not committed", &debug.BuildInfo{Settings: append(revision, debug.BuildSetting{Key: "vcs.modified", Value: "true"})},
			"revision 1a2b of 2026-11-25T10:00:00Z, with changes\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b strings.Builder
			writeVersion(&b, "shop", "v7", tt.info)
			if want := "shop v7\n" + goVersion + tt.want; b.String() != want {
				t.Errorf("%q, want %q", b.String(), want)
			}
		})
	}
}
