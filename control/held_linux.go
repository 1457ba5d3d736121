package control

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/jay-go/jay/internal/sys"
)

// Held reports whether a master has the run directory; err says that we may not
// look.
func Held(dir string) (held bool, err error) {
	f, err := os.Open(filepath.Join(dir, PIDFileName))
	if errors.Is(err, os.ErrPermission) {
		return false, err
	}
	if err != nil {
		return false, nil
	}
	defer f.Close()
	raw, err := f.SyscallConn()
	if err != nil {
		return false, nil
	}
	var locked error
	if err := raw.Control(func(fd uintptr) { locked = sys.TryLockShared(int(fd)) }); err != nil {
		return false, nil
	}
	return errors.Is(locked, sys.ErrLocked), nil
}
