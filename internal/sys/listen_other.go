//go:build !linux

package sys

import (
	"errors"
	"fmt"
	"net"
	"os"
)

// ErrLive says that a Unix socket's path has a process listening on it.
var ErrLive = errors.New("a live server listens on it")

// UnlinkStale removes a Unix socket that nobody listens on. A path that does
// not exist is fine; a live socket is ErrLive; anything else is left alone.
func UnlinkStale(path string) error {
	fi, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if fi.Mode()&os.ModeSocket == 0 {
		return fmt.Errorf("%s exists and is not a socket", path)
	}
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return ErrLive
	}
	return os.Remove(path)
}
