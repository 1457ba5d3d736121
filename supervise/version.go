package supervise

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/jay-go/jay/internal/stack"
)

// version is the program's, for status and logs.
func (o *Options) version() string {
	if o.Version != "" {
		return o.Version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// writeVersion says what the program is and what it was built from, as far as
// the file knows: info may be nil.
func writeVersion(w io.Writer, prog, version string, info *debug.BuildInfo) {
	fmt.Fprintf(w, "%s %s\n", prog, version)
	fmt.Fprintf(w, "%s %s/%s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if info == nil {
		return
	}
	for _, m := range info.Deps {
		if m.Path == stack.Framework {
			words := []string{m.Path, m.Version}
			if m.Replace != nil {
				words = []string{m.Path, "=>", m.Replace.Path, m.Replace.Version}
			}
			fmt.Fprintln(w, strings.TrimSpace(strings.Join(words, " ")))
		}
	}
	built := map[string]string{}
	for _, s := range info.Settings {
		built[s.Key] = s.Value
	}
	if built["vcs.revision"] == "" {
		return
	}
	fmt.Fprintf(w, "revision %s of %s", built["vcs.revision"], built["vcs.time"])
	if built["vcs.modified"] == "true" {
		fmt.Fprint(w, ", with changes")
	}
	fmt.Fprintln(w)
}
