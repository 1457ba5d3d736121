package logs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/DeRuina/timberjack"

	"github.com/jay-go/jay/internal/sys"
)

// Mode is that of new log files.
const Mode = 0o640

const (
	rotateAgain = time.Second // after a rotation that failed
	day         = 24 * time.Hour
)

// Limits say when a log file is put aside, and which of those that were are
// kept. Negative is no limit.
type Limits struct {
	Size    int64         // bytes of a file
	Age     time.Duration // of what is in it
	Backups int           // files that were put aside
	Keep    time.Duration // for how long those
}

// File is the file of a log, or a FIFO or a device, which are never put
// aside. Write belongs to one goroutine; the others may be called by any.
type File struct {
	path   string
	limits Limits
	std    bool        // standard output and error are this file, and follow it
	failed func(error) // told why the file cannot be put aside, once for each reason

	turning sync.Mutex // held while the path is opened or renamed

	mu      sync.Mutex
	f       *os.File  // guarded by mu
	regular bool      // guarded by mu
	size    int64     // guarded by mu; when it was looked at last
	born    time.Time // guarded by mu; when what is in it was begun
	retry   time.Time // guarded by mu; no rotation before
	reason  string    // guarded by mu; why the last rotation failed
}

// OpenFile opens the file. It does not wait, whatever the path is.
func OpenFile(path string, limits Limits, std bool, failed func(error)) (*File, error) {
	l := &File{path: path, limits: limits, std: std, failed: failed}
	return l, l.Reopen()
}

// Reopen opens the path anew, after somebody has renamed the file. When that
// fails the old file goes on.
func (l *File) Reopen() error {
	l.turning.Lock()
	defer l.turning.Unlock()
	return l.open()
}

// open is for whoever holds turning.
func (l *File) open() error {
	f, err := sys.OpenLog(l.path, Mode)
	if err != nil {
		return err
	}
	fi, err := f.Stat()
	if err == nil && l.std {
		for fd := 1; fd <= 2 && err == nil; fd++ {
			err = sys.DupOnto(f, fd)
		}
	}
	if err != nil {
		f.Close()
		return err
	}
	born, known := sys.BirthTime(f)
	if !known {
		born = time.Now()
	}
	l.mu.Lock()
	old := l.f
	l.f, l.regular, l.size, l.born = f, fi.Mode().IsRegular(), fi.Size(), born
	l.mu.Unlock()
	if old != nil {
		old.Close()
	}
	return nil
}

// Write writes one line, whole and to one file, also when that is reopened
// meanwhile.
func (l *File) Write(b []byte) (int, error) {
	if why := l.due(len(b)); why != "" {
		l.rotate(why)
	}
	for {
		l.mu.Lock()
		f, regular := l.f, l.regular
		l.mu.Unlock()
		n, err := f.Write(b)
		if errors.Is(err, os.ErrClosed) && l.replaced(f) {
			continue
		}
		if err != nil && n > 0 && regular && takeBack(f, n) == nil {
			n = 0
		}
		return n, err
	}
}

func (l *File) replaced(f *os.File) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.f != f
}

// takeBack cuts off the first n bytes of a line, which were all that the disk
// had room for: a file has whole lines.
func takeBack(f *os.File, n int) error {
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	return f.Truncate(fi.Size() - int64(n))
}

// due says why the file has to be put aside before n more bytes, "" where it
// has not. What counts is what is there: others write to the file as well, as the
// runtime does through standard error, and empty it, as logrotate does after it
// has copied it. An emptied file is a new one.
func (l *File) due(n int) (why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if fi, err := l.f.Stat(); err == nil && l.regular {
		if fi.Size() < l.size {
			l.born = now
		}
		l.size = fi.Size()
	}
	switch {
	case !l.regular || l.size == 0 || now.Before(l.retry):
		return ""
	case l.limits.Size >= 0 && l.size+int64(n) > l.limits.Size:
		return "size"
	case l.limits.Age >= 0 && now.Sub(l.born) >= l.limits.Age:
		return "age"
	}
	return ""
}

// rotate puts the file aside and begins a new one. When that fails the old
// file goes on, and after a while it is tried again.
func (l *File) rotate(why string) {
	l.turning.Lock()
	defer l.turning.Unlock()
	err := l.putAside(why)
	if err == nil {
		err = l.open()
	}
	l.mu.Lock()
	before := l.reason
	l.reason = ""
	if err != nil {
		l.retry, l.reason = time.Now().Add(rotateAgain), err.Error()
	}
	l.mu.Unlock()
	if err != nil && err.Error() != before {
		l.failed(err)
	}
}

// putAside renames the file at the path, makes an empty one there and removes
// the oldest backups.
func (l *File) putAside(why string) error {
	fi, err := os.Lstat(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // somebody has renamed it
	}
	if err != nil {
		return err
	}
	l.mu.Lock()
	ours, err := l.f.Stat()
	l.mu.Unlock()
	if err != nil {
		return err
	}
	if !os.SameFile(fi, ours) {
		return nil // likewise, and something is in its place
	}
	if err := safeDirectory(filepath.Dir(l.path)); err != nil {
		return err
	}
	// Only what the library does at a rotation is used; we write ourselves.
	t := &timberjack.Logger{Filename: l.path, FileMode: fi.Mode().Perm() &^ 0o002, MaxBackups: max(l.limits.Backups, 0)}
	if l.limits.Keep > 0 {
		t.MaxAge = int((l.limits.Keep + day - 1) / day)
	}
	err = t.RotateWithReason(why)
	return errors.Join(err, t.Close()) // the latter waits for the removal
}

// safeDirectory refuses one where somebody else could put a symbolic link in
// the place of the file while it is renamed and made anew.
func safeDirectory(dir string) error {
	fi, err := os.Stat(dir)
	if err != nil {
		return err
	}
	owner := fi.Sys().(*syscall.Stat_t).Uid
	if owner != 0 && int(owner) != os.Geteuid() || fi.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("directory %s: others may write to it (mode %v, uid %d), so the log is not renamed there; use another directory, or logrotate and reopen-logs",
			dir, fi.Mode(), owner)
	}
	return nil
}

// Close closes the file. Nothing may be written after it.
func (l *File) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.f.Close()
}
