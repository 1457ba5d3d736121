package supervise

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/internal/bytejson"
	"github.com/jay-go/jay/internal/logs"
	"github.com/jay-go/jay/internal/sys"
)

// origin says which program a master, or a command, is. Programs whose files have
// the same name have the same default run directory, so a command says who it is, and
// a master refuses that of a stranger.
type origin struct {
	Path     string     `json:"path"`     // the start path
	File     sys.FileID `json:"file"`     // what runs
	Package  string     `json:"package"`  // of main
	Programs []string   `json:"programs"` // their names

	// Named says that the user has named the run directory, and so the service: it
	// is then enough to have a program in common.
	Named bool `json:"named"`

	// Exact says that a likely origin is not enough.
	Exact bool `json:"exact"`
}

// originOf is this process's, which was started by a path.
func originOf(c *config, path string) origin {
	o := origin{Path: path, File: fileOf("/proc/self/exe"), Named: c.named}
	if info, ok := debug.ReadBuildInfo(); ok {
		o.Package = info.Path
	}
	for i := range c.programs {
		o.Programs = append(o.Programs, c.programs[i].name())
	}
	return o
}

// fileOf is the file that a path leads to; zero where there is none.
func fileOf(path string) sys.FileID {
	var st syscall.Stat_t
	if syscall.Stat(path, &st) != nil {
		return sys.FileID{}
	}
	return sys.FileID{Dev: uint64(st.Dev), Ino: st.Ino}
}

func (o origin) header() string {
	b, err := bytejson.Encode(o)
	if err != nil {
		panic("supervise: encode origin: " + err.Error()) // plain data always encodes
	}
	return url.QueryEscape(string(b))
}

func parseOrigin(header string) (o origin, err error) {
	text, err := url.QueryUnescape(header)
	if err == nil {
		err = bytejson.Decode([]byte(text), &o)
	}
	if err != nil {
		return o, fmt.Errorf("%s: %w", control.OriginHeader, err)
	}
	return o, nil
}

// refuses says why a command is not for this master, nil where it is: both are
// started by one path, or from one file, as it was then or is now.
func (o origin) refuses(other origin, dir *runDir) error {
	switch now := fileOf(o.Path); {
	case o.Path == other.Path, o.File == other.File, now == other.File:
		return nil
	case other.Named && !o.shares(other):
		return fmt.Errorf("%s belongs to %s (%s), and this is %s; use that file, or another --run-dir",
			dir.control(), logs.Printable(o.Path, 500), strings.Join(o.Programs, ", "), logs.Printable(other.Path, 500))
	case other.Named:
		return nil
	case other.Exact:
	case o.moves() && other.moves() || now == (sys.FileID{}): // a path says nothing, then
		if o.Package == other.Package && o.shares(other) {
			return nil
		}
	}
	return fmt.Errorf("%s belongs to %s; use --run-dir: %s for that one, another for %s",
		dir.control(), logs.Printable(o.Path, 500), dir.path, logs.Printable(other.Path, 500))
}

// shares reports a program in common.
func (o origin) shares(other origin) bool {
	return slices.ContainsFunc(o.Programs, func(name string) bool { return slices.Contains(other.Programs, name) })
}

// moves reports a file that go run has built, which is another one each time.
func (o origin) moves() bool {
	return slices.ContainsFunc(strings.Split(filepath.Dir(o.Path), "/"), func(dir string) bool { return strings.HasPrefix(dir, "go-build") })
}

// ownClient is a client of the service in the run directory that says who asks.
func (c *config) ownClient() (*control.Client, error) {
	path, err := startPath()
	if err != nil {
		return nil, err
	}
	client := control.NewClient(c.runDir)
	o := originOf(c, path)
	o.Exact = c.exact
	client.Origin = o.header()
	return client, nil
}

// askStatus asks for the status of what should answer at once.
func (c *config) askStatus() (control.Status, error) {
	client, err := c.ownClient()
	if err != nil {
		return control.Status{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return client.Status(ctx)
}

// elsewhere is the end of a message that nothing runs in the default run directory:
// where the program runs whose file has another name now.
func (c *config) elsewhere() string {
	if c.named {
		return ""
	}
	dirs, err := filepath.Glob(filepath.Join(filepath.Dir(c.runDir), "*", pidName))
	if err != nil {
		return ""
	}
	for _, says := range []string{"it runs", "perhaps it runs"} {
		for _, file := range dirs {
			other := *c
			other.exact = says == "it runs"
			if other.runDir = filepath.Dir(file); other.runDir == c.runDir || !masterHolds(other.runDir) {
				continue
			}
			if s, err := other.askStatus(); err == nil {
				return fmt.Sprintf("; %s as %s: use --run-dir %s", says, logs.Printable(s.Path, 500), other.runDir)
			}
		}
	}
	return ""
}

// holderOf says whose a run directory is that cannot be taken.
func (c *config) holderOf(held errHeld) error {
	s, err := c.askStatus()
	if refused := (*control.RefusedError)(nil); errors.As(err, &refused) {
		return fmt.Errorf("%s (running, pid %d)", refused.Text, held.pid)
	}
	held.path = s.Path
	if held.path == "" { // it does not answer
		held.path, _ = os.Readlink(fmt.Sprintf("/proc/%d/exe", held.pid))
	}
	return held
}
