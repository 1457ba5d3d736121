package supervise

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/internal/logs"
	"github.com/jay-go/jay/internal/sys"
)

// showLogs prints the last lines of the log, and with -f those that come, also
// through an upgrade or a restart, until the service ends. Of one that does not
// run it prints those of the file, or says where they went.
func showLogs(c *config, client *control.Client) error {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	path := fmt.Sprintf("/v1/logs?n=%d", c.lines)
	unread := make(chan struct{})
	if c.follow {
		path += "&follow=1"
		go func() { // nothing may come for hours by which a write would find that out
			if sys.AwaitHangup(1) == nil {
				close(unread)
				cancel()
			}
		}()
	}
	for again := false; ; again = true {
		body, err := client.Stream(ctx, path)
		switch {
		case isClosed(unread):
			return exitError{code: exitUnread}
		case again && ctx.Err() != nil:
			return nil // we have been told to
		case again && errors.Is(err, control.ErrNotRunning):
			return c.logsEnded()
		case errors.Is(err, control.ErrNotRunning):
			return c.logsLeft(c.noAnswer("logs", err))
		case err != nil:
			return c.noAnswer("logs", err)
		}
		err = copyLog(c.out, body)
		body.Close()
		switch {
		case err != nil:
			return fmt.Errorf("logs: %w", err)
		case isClosed(unread):
			return exitError{code: exitUnread}
		case !c.follow || ctx.Err() != nil:
			return nil
		case !masterHolds(c.runDir):
			return c.logsEnded()
		}
		path = "/v1/logs?n=0&follow=1"
	}
}

// exitUnread is what a shell calls the end of a process that writes what nobody reads.
const exitUnread = 128 + int(syscall.SIGPIPE)

// copyLog prints a log until it ends, however that is. Its error is that it cannot be
// printed.
func copyLog(to io.Writer, body io.Reader) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := body.Read(buf)
		if _, failed := to.Write(buf[:n]); failed != nil {
			return failed
		}
		if err != nil {
			return nil
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// logsEnded says that the service has ended while its log was followed. It is an
// error where the master has not ended by itself.
func (c *config) logsEnded() error {
	where := "its last lines went to standard error"
	if file := c.logLeft(); file != "" {
		where = "its last lines are in " + logs.Printable(file, 500)
	}
	if b, err := os.ReadFile((&runDir{path: c.runDir}).pidFile()); err == nil && len(b) > 0 { // an end in order empties it
		return fmt.Errorf("logs: the master (pid %s) has died; %s", logs.Printable(string(bytes.TrimSpace(b)), 20), where)
	}
	if !c.quiet {
		fmt.Fprintf(os.Stderr, "%s: logs: the service has ended; %s\n", c.prog, where)
	}
	return nil
}

// logsLeft prints what the log of a service that does not run has in the end, and
// says so. notRunning is the error for that.
func (c *config) logsLeft(notRunning error) error {
	exit := (exitError{})
	if !errors.As(notRunning, &exit) || exit.text == "" {
		return notRunning
	}
	file := c.logLeft()
	if file == "" {
		if _, err := os.Lstat((&runDir{path: c.runDir}).pidFile()); err == nil {
			exit.text += "; its log went to standard error"
		}
		return exit
	}
	lines, err := lastLinesOf(file, c.lines)
	if err != nil {
		exit.text += fmt.Sprintf("; its log: %v", err)
		return exit
	}
	c.out.Write(lines)
	exit.text += "; these are the last lines of " + logs.Printable(file, 500)
	return exit
}

// logLeft is the file of the log of a service that has run: the one that its
// master has named in the run directory, or the one that a start would use. It is ""
// where there is none.
func (c *config) logLeft() string {
	dir := &runDir{path: c.runDir}
	if file, err := os.Readlink(dir.logLink()); err == nil {
		return file
	}
	for _, file := range []string{c.logFile, dir.logLink(), filepath.Join(c.runDir, c.prog+".log")} {
		if _, err := os.Stat(file); file != "" && err == nil {
			return file
		}
	}
	return ""
}

// maxTail is how much of a file is looked at for its last lines.
const maxTail = 8 << 20

// lastLinesOf reads the last n lines of a file, which has to be one that keeps them.
func lastLinesOf(path string, n int) ([]byte, error) {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file that keeps lines", path)
	}
	if n <= 0 {
		return nil, nil
	}
	from := max(fi.Size()-maxTail, 0)
	b, err := io.ReadAll(io.NewSectionReader(f, from, maxTail))
	if err != nil {
		return nil, err
	}
	end := len(bytes.TrimSuffix(b, []byte("\n")))
	for i := end - 1; i >= 0; i-- {
		if b[i] != '\n' {
			continue
		}
		if n--; n == 0 {
			return b[i+1:], nil
		}
	}
	if from > 0 { // the first line is cut
		_, b, _ = bytes.Cut(b, []byte("\n"))
	}
	return b, nil
}

// nameLog leaves the name of the log's file in the run directory, for who looks for
// it when the service does not run; "" is standard error. It is of no other use, so
// failing is none.
func (d *runDir) nameLog(file string) {
	if fi, err := os.Lstat(d.logLink()); err == nil && fi.Mode()&fs.ModeSymlink == 0 {
		return // it is the program's, the log itself perhaps
	}
	if file == "" {
		os.Remove(d.logLink())
		return
	}
	if abs, err := filepath.Abs(file); err == nil {
		file = abs
	}
	if there, err := os.Readlink(d.logLink()); err == nil && there == file {
		return
	}
	next := d.logLink() + "." + time.Now().Format("150405.000000")
	if os.Symlink(file, next) == nil && os.Rename(next, d.logLink()) != nil {
		os.Remove(next)
	}
}

func (d *runDir) logLink() string { return filepath.Join(d.path, "log") }
