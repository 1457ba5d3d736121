package supervise

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/internal/sys"
)

// terminalSize is that of a terminal, and zero for another file.
func terminalSize(f *os.File) (rows, columns int) {
	onFD(f, func(fd int) error { rows, columns = sys.TerminalSize(fd); return nil })
	return rows, columns
}

// watcher prints the status again and again. On a terminal q ends it, Ctrl-Z suspends
// it, and the terminal is left as it was, whatever ends the watcher.
type watcher struct {
	client   *control.Client
	keyboard *sys.Keyboard  // nil where the standard streams are no terminal
	stop     chan os.Signal // SIGTSTP
	goOn     chan os.Signal // SIGCONT
}

// watchStatus prints the status every second until it is interrupted, or q is pressed.
func watchStatus(c *config, client *control.Client) error {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	defer cancel()
	w := &watcher{client: client, stop: make(chan os.Signal, 1), goOn: make(chan os.Signal, 1)}
	if isTerminal(os.Stdin) && isTerminal(os.Stdout) {
		signal.Notify(w.stop, syscall.SIGTSTP)
		signal.Notify(w.goOn, syscall.SIGCONT)
		err := onFD(os.Stdin, func(fd int) (err error) { w.keyboard, err = sys.OpenKeyboard(fd); return err })
		if w.keyboard != nil {
			defer w.keyboard.Restore()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", c.command, err)
		}
	}
	for {
		s, err, ended := w.ask(ctx)
		switch {
		case ended:
			return nil
		case err != nil:
			return c.noAnswer(c.command, err)
		}
		if err := w.show(s); err != nil {
			return fmt.Errorf("%s: %w", c.command, err)
		}
		if w.wait(ctx, time.NewTimer(time.Second).C) {
			return nil
		}
	}
}

// ask gets the status, while it goes on heeding keys and signals.
func (w *watcher) ask(ctx context.Context) (s control.Status, err error, ended bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan time.Time)
	go func() {
		s, err = w.client.Status(ctx)
		close(done)
	}()
	if ended = w.wait(ctx, done); ended {
		cancel()
		<-done
	}
	return s, err, ended
}

// wait waits for until; ended says that the user wants no more.
func (w *watcher) wait(ctx context.Context, until <-chan time.Time) (ended bool) {
	for {
		select {
		case <-until:
			return ctx.Err() != nil
		case <-ctx.Done():
			return true
		case <-w.stop:
			w.suspend()
		case <-w.pause():
			if w.keyboard == nil {
				continue
			}
			if key, gone := w.keyboard.Key(keyWait); gone || key == 'q' || key == 'Q' {
				return true
			}
		}
	}
}

// keyWait is how long a look at the keyboard lasts.
const keyWait = 50 * time.Millisecond

// pause is over at once where there is a keyboard to wait at.
func (w *watcher) pause() <-chan time.Time {
	if w.keyboard == nil {
		return nil
	}
	over := make(chan time.Time)
	close(over)
	return over
}

// suspend stops the process, as Ctrl-Z asks, until it is continued.
func (w *watcher) suspend() {
	w.keyboard.Restore()
	for len(w.goOn) > 0 {
		<-w.goOn
	}
	syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	<-w.goOn
	w.keyboard.Resume()
}

// show prints the status, on a terminal in the place of the last one and as much of it
// as there is room for.
func (w *watcher) show(s control.Status) error {
	out := screenOf(os.Stdout)
	printStatus(out, s, w.client.Dir)
	if !isTerminal(os.Stdout) {
		_, err := out.WriteTo(os.Stdout)
		return err
	}
	lines := strings.SplitAfter(out.String(), "\n")
	if rows, _ := terminalSize(os.Stdout); rows > 2 && len(lines) > rows {
		lines = append(lines[:rows-2], fmt.Sprintf("… %d lines more: status has them\n", len(lines)-1-(rows-2)))
	}
	_, err := io.WriteString(os.Stdout, "\x1b[H\x1b[2J"+strings.Join(lines, ""))
	return err
}
