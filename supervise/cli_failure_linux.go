package supervise

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"syscall"

	"github.com/jay-go/jay/control"
)

// failure says why a command has no result: nothing runs here, what runs does not
// answer, is another program or somebody else's, or has refused or failed.
func (c *config) failure(what string, err error) error {
	dir := &runDir{path: c.runDir}
	held, lookErr := dir.look()
	refused := (*control.RefusedError)(nil)
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: interrupted", what)
	case errors.As(err, &refused) && refused.Status == http.StatusBadRequest:
		return usageError{fmt.Errorf("%s: %w", what, err)}
	case errors.As(err, &refused):
		return fmt.Errorf("%s: %w", what, err)
	case errors.Is(err, os.ErrPermission), lookErr != nil:
		return fmt.Errorf("%s: %s: %w%s", what, dir.path, syscall.EACCES, dir.owner())
	case errors.Is(err, control.ErrNotRunning), !held && !answered(err):
		return fmt.Errorf("%s: not running (run directory %s)%s", what, c.runDir, c.elsewhere())
	case control.IsTimeout(err):
		return fmt.Errorf("%s: the master (pid %d) does not answer%s", what, dir.holder(), standsStill(dir.holder()))
	case control.IsUnreachable(err):
		return fmt.Errorf("%s: the master (pid %d) does not answer: %w", what, dir.holder(), err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// answered reports an error that the master itself has told.
func answered(err error) bool {
	var told control.OperationError
	return errors.As(err, &told)
}

// noAnswer is failure for a question: exit code 3 where nothing runs.
func (c *config) noAnswer(what string, err error) error {
	dir := &runDir{path: c.runDir}
	if held, lookErr := dir.look(); !errors.Is(err, control.ErrNotRunning) && (held || lookErr != nil) { // it may have begun meanwhile
		return c.failure(what, err)
	}
	if c.json {
		fmt.Println(`{"state":"stopped"}`)
		return exitError{code: exitStopped}
	}
	return exitError{code: exitStopped, text: c.failure(what, control.ErrNotRunning).Error()}
}

// owner is the end of a message about a run directory that we may not look into.
func (d *runDir) owner() string {
	fi, err := os.Stat(d.path)
	if err != nil {
		return ""
	}
	owner := fi.Sys().(*syscall.Stat_t).Uid
	if int(owner) == os.Geteuid() {
		return fmt.Sprintf("; the modes of its files keep out even their owner: chmod -R u+rwX %s", d.path)
	}
	return fmt.Sprintf("; it belongs to %s: be that user, or root, or use another --run-dir", userName(owner))
}

// standsStill is the end of a message about a master that does not answer.
func standsStill(pid int) string {
	if pid != 0 && stopped(pid) {
		return fmt.Sprintf(": it is stopped (SIGSTOP); kill -CONT %d lets it go on, and may carry out what it was asked", pid)
	}
	return ""
}
