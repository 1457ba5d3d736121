package supervise

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

const (
	logMode     = 0o640       // of new log files
	rotateAgain = time.Second // after a rotation that failed
	day         = 24 * time.Hour
)

// logLimits say when a log file is put aside, and which of those that were are
// kept. Negative is no limit.
type logLimits struct {
	size    int64
	age     time.Duration
	backups int
	keep    time.Duration
}

// limitsOf are those that options ask for.
func limitsOf(o *Options) logLimits {
	l := logLimits{size: o.LogFileMaxSize, age: timeoutOr(o.LogFileMaxAge, defaultLogAge), backups: o.LogFileBackups,
		keep: timeoutOr(o.LogFileBackupAge, defaultBackupAge)}
	if l.size == 0 {
		l.size = defaultLogSize
	}
	if l.backups == 0 {
		l.backups = defaultLogBackups
	}
	return l
}

// logFile is the file of a log, or a FIFO or a device, which are never put
// aside. Write belongs to one goroutine; the others may be called by any.
type logFile struct {
	path   string
	limits logLimits
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

// openLogFile opens the file. It does not wait, whatever the path is.
func openLogFile(path string, limits logLimits, std bool, failed func(error)) (*logFile, error) {
	l := &logFile{path: path, limits: limits, std: std, failed: failed}
	return l, l.reopen()
}

// reopen opens the path anew, after somebody has renamed the file. When that
// fails the old file goes on.
func (l *logFile) reopen() error {
	l.turning.Lock()
	defer l.turning.Unlock()
	return l.open()
}

// open is for whoever holds turning.
func (l *logFile) open() error {
	f, err := sys.OpenLog(l.path, logMode)
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
func (l *logFile) Write(b []byte) (int, error) {
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

func (l *logFile) replaced(f *os.File) bool {
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
func (l *logFile) due(n int) (why string) {
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
	case l.limits.size >= 0 && l.size+int64(n) > l.limits.size:
		return "size"
	case l.limits.age >= 0 && now.Sub(l.born) >= l.limits.age:
		return "age"
	}
	return ""
}

// rotate puts the file aside and begins a new one. When that fails the old
// file goes on, and after a while it is tried again.
func (l *logFile) rotate(why string) {
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
func (l *logFile) putAside(why string) error {
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
	t := &timberjack.Logger{Filename: l.path, FileMode: fi.Mode().Perm() &^ 0o002, MaxBackups: max(l.limits.backups, 0)}
	if l.limits.keep > 0 {
		t.MaxAge = int((l.limits.keep + day - 1) / day)
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

// close closes the file. Nothing may be written after it.
func (l *logFile) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.f.Close()
}
