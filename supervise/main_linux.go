package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/internal/bytejson"
	"github.com/jay-go/jay/internal/fleet"
	"github.com/jay-go/jay/internal/logs"
	"github.com/jay-go/jay/internal/sys"
)

func (o *Options) main() int {
	prog := filepath.Base(os.Args[0])
	if bootErr != nil {
		return fail(prog, bootErr)
	}
	c, err := parseCommandLine(o, os.Args[0], os.Args[1:], environment)
	if boot.Role == roleDescribe {
		return describeSelf(c, err)
	}
	if err != nil {
		if boot.Role == roleMaster {
			err = wayBack(fmt.Errorf("its own command line: %w", err))
		}
		return fail(prog, err)
	}
	switch boot.Role {
	case roleWorker:
		return runWorker(o, c, boot)
	case roleMaster:
		return fail(prog, continueMaster(o, c))
	case roleDaemon:
		if err := c.findRunDir(); err != nil {
			return fail(prog, err)
		}
		out, started := reportTo(boot.Report)
		return fail(prog, runMaster(o, c, boot.Path, out, started))
	}
	return fail(prog, runCommand(o, c))
}

// describeSelf answers what this file's programs are, and whether it could
// continue from the state it was given.
func describeSelf(c *config, err error) int {
	d := description{Version: descriptionVersion}
	if err == nil && boot.State != 0 {
		var s savedMaster
		if s, err = readState(boot.State); err == nil {
			err = rehearse(c, s)
		}
		d.State = err == nil
	}
	if err != nil {
		d.Error = err.Error()
	} else {
		d.Program, d.Specs = c.version, c.specs()
		d.RunDir, d.LogFile, d.User, d.Group = c.runDir, c.logFile, c.user, c.group
	}
	f := os.NewFile(uintptr(boot.Report), "description")
	defer f.Close()
	b, err := bytejson.Encode(d)
	if err == nil {
		_, err = f.Write(b)
	}
	if err != nil {
		return exitFailed
	}
	return exitDone
}

// runMaster is a service's whole life, from the first start to its end.
func runMaster(o *Options, c *config, path string, out *outlet, started func(m *master, err error)) error {
	m := newMaster(o, c, path)
	m.out = out
	m.daemon = boot.Role == roleDaemon
	var err error
	if m.activated, err = takeActivated(); err == nil {
		err = m.begin(started)
	}
	if err != nil {
		started(m, err)
		await(lastWords, out.close())
		return err
	}
	m.run()
	return finished(m)
}

func finished(m *master) error {
	if code := m.shutdown(); code != 0 {
		return exitError{code: code}
	}
	return nil
}

// begin takes the run directory and opens everything; after an error nothing
// is left open that matters to a process about to exit.
func (m *master) begin(started func(m *master, err error)) error {
	var err error
	if m.warnings, err = m.c.startLimits(); err != nil {
		return err
	}
	if m.dir, err = firstRunDir(m.c.runDir); err != nil {
		return err
	}
	var held errHeld
	if err := m.dir.take(); errors.As(err, &held) {
		return m.c.holderOf(held)
	} else if err != nil {
		return err
	}
	return m.beginLocked(started)
}

func (m *master) beginLocked(started func(m *master, err error)) error {
	if err := m.prepare(); err != nil {
		return err
	}
	if err := m.openLog(m.logFile()); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { // a stop signal ends the wait for addresses
		select {
		case <-m.signals.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := m.bringUp(ctx); err != nil {
		return err
	}
	if err := m.listen(); err != nil {
		for _, s := range m.machine.Sockets {
			m.Close(s)
		}
		return err
	}
	m.begun, m.report = true, func(err error) { started(m, err) }
	m.logger.Info("start", "version", m.c.version, "run_dir", m.dir.path)
	m.tellMemory()
	for _, f := range m.warnings {
		m.logger.Warn("low limit", "area", f.area, "found", f.found, "to_do", strings.Join(f.fixes, "; or: "))
	}
	for _, s := range unserved(m.activated, m.c.specs()) {
		m.logger.Warn("socket of the service manager that no program serves", "name", s.Name, "address", s.Bound)
	}
	return nil
}

// startReport is what a daemon tells the command line that started it.
type startReport struct {
	PID    int            `json:"pid"`
	Error  string         `json:"error"`
	Trying bool           `json:"trying"` // the master goes on all the same
	Status control.Status `json:"status"`
}

// reportTo writes the outcome of the start to a descriptor, once.
func reportTo(fd int) (*outlet, func(*master, error)) {
	f := os.NewFile(uintptr(fd), "report")
	out := newOutlet(f, f.Close)
	return out, func(m *master, err error) {
		r := startReport{PID: os.Getpid()}
		if err != nil {
			r.Error = err.Error()
			r.Trying = m.begun && m.machine.Phase == fleet.PhaseRunning
		}
		if m.machine != nil {
			r.Status = m.snapshot(&query{}).Status
		}
		if b, err := bytejson.Encode(r); err == nil {
			out.send(b)
		}
		out.close()
	}
}

// runForeground is start without -d.
func runForeground(o *Options, c *config) error {
	path, err := startPath()
	if err != nil {
		return err
	}
	out, table := newOutlet(os.Stdout, nil), screenOf(os.Stdout)
	return runMaster(o, c, path, out, func(m *master, err error) {
		if m.machine == nil || c.quiet || errors.Is(err, fleet.ErrStopping) {
			return
		}
		printStart(table, m.snapshot(&query{}).Status, m.dir.path)
		out.send(table.Bytes())
		ready := func() { out.send([]byte("ready\n")) }
		if err != nil {
			m.late = ready // it goes on trying
			return
		}
		ready()
	})
}

// runDaemon is start -d: it returns when the daemon serves, or has failed to.
func runDaemon(o *Options, c *config) error {
	if err := sys.CloseOnExec(3); err != nil {
		return err
	}
	path, err := startPath()
	if err != nil {
		return err
	}
	warnings, err := c.startLimits() // the daemon might not live to say it
	if err != nil {
		return err
	}
	for _, f := range warnings {
		fmt.Fprintf(os.Stderr, "%s: warning: %s: %s\n", c.prog, f.area, f.found)
	}
	dir, err := firstRunDir(c.runDir)
	if err != nil {
		return err
	}
	logFile := c.logFile
	if logFile == "" {
		logFile = filepath.Join(dir.path, c.prog+".log")
	}
	log, err := sys.OpenLog(logFile, logs.Mode)
	if err != nil {
		return fmt.Errorf("log: %w", err)
	}
	defer log.Close()
	begins := int64(0)
	if fi, err := log.Stat(); err == nil {
		begins = fi.Size()
	}
	file, err := openSelf()
	if err != nil {
		return err
	}
	defer sys.Close(file)
	r, w, err := sys.Pipe()
	if err != nil {
		return err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	var logFD, nullFD int
	onFD(log, func(fd int) error { logFD = fd; return nil })
	onFD(null, func(fd int) error { nullFD = fd; return nil })
	p := sys.Process{
		Path: fdPath(file), Argv: os.Args, Env: bootInfo{Role: roleDaemon, Path: path, Report: 3}.environ(),
		Files: []int{nullFD, logFD, logFD, w}, NewSession: true,
	}
	pid, err := p.Start()
	sys.Close(w)
	if err != nil {
		sys.Close(r)
		return fmt.Errorf("start daemon: %w", err)
	}
	return awaitDaemon(c, pid, os.NewFile(uintptr(r), "report"), logFile, begins)
}

// awaitDaemon reads how the daemon's start went. StartTimeout bounds the wait,
// as a worker that is not ready by then is killed, which is an answer. What the
// daemon has printed is in the log, from begins on.
func awaitDaemon(c *config, pid int, f *os.File, logFile string, begins int64) error {
	defer f.Close()
	b, err := io.ReadAll(f)
	var r startReport
	if err != nil || bytejson.Decode(b, &r) != nil {
		_, status, _ := sys.Reap(pid, true)
		return fmt.Errorf("start: the daemon ended before it served (%s); see %s", causeOfStatus(status, killedBySomebody, "", wordsIn(logFile, begins)), logFile)
	}
	if r.Error != "" && !r.Trying {
		sys.Reap(pid, true) // it is ending
		return errors.New(r.Error)
	}
	if !c.quiet {
		table := screenOf(os.Stdout)
		printStart(table, r.Status, c.runDir)
		table.WriteTo(os.Stdout)
	}
	if r.Error != "" {
		return fmt.Errorf("start: %s; the master (pid %d) goes on trying until %s stop; see %s", r.Error, r.PID, c.prog, logFile)
	}
	if !c.quiet {
		fmt.Fprintf(os.Stdout, "ready, daemon pid %d\n", r.PID)
	}
	return nil
}

// wordsIn is why a process has ended, as the log has it.
func wordsIn(logFile string, begins int64) string {
	f, err := os.OpenFile(logFile, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return ""
	}
	defer f.Close()
	if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() {
		return "" // a pipe's words are its reader's
	}
	b, _ := io.ReadAll(io.NewSectionReader(f, begins, 64<<10))
	return logs.LastWords(string(b))
}

// startPath is the path of the program as it was started, symbolic links
// unresolved: a release link may point elsewhere at the next reload.
func startPath() (string, error) {
	path := os.Args[0]
	if !strings.Contains(path, "/") {
		found, err := exec.LookPath(path)
		if err == nil {
			path = found
		}
	}
	abs, err := filepath.Abs(path)
	if err == nil && sameAsSelf(abs) {
		return abs, nil
	}
	return os.Executable()
}

func sameAsSelf(path string) bool {
	a, err := os.Stat(path)
	if err != nil {
		return false
	}
	b, err := os.Stat("/proc/self/exe")
	return err == nil && os.SameFile(a, b)
}
