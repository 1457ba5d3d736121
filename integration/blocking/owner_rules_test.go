package blocking

import "strings"

// ownerRules are those of the goroutine that owns a master. An entry is only for
// what cannot block, and says why. What a stranger could hold up, as a reader that
// does not read, a process that does not end or user code, is none.
func ownerRules() Rules {
	r := Rules{
		Roots: []string{
			"(*supervise.master).run", "(*supervise.master).shutdown",
			"(internal/logs.textHandler).Handle", "(internal/logs.harmless).Write", "(*internal/logs.Sink).Write", "internal/logs.capped", // by way of log/slog
		},
		Computes: computes(), Except: waits(), Elsewhere: elsewhere(), Allowed: map[string]string{},
	}
	for reason, list := range reasons() {
		for entry := range strings.Lines(list) {
			if entry = strings.TrimSpace(entry); entry != "" {
				r.Allowed[entry] = reason
			}
		}
	}
	return r
}

// reasons are the allowed calls, one a line, by why they cannot block.
func reasons() map[string]string {
	return map[string]string{
		"it computes, or looks at memory of this process": `
			(error).Error
			(*io/fs.PathError).Error
			(*net.DNSError).Error
			(syscall.Errno).Error
			(syscall.Signal).String
			(syscall.WaitStatus).CoreDump
			(syscall.WaitStatus).ExitStatus
			(syscall.WaitStatus).Signal
			(syscall.WaitStatus).Signaled
			(io/fs.FileInfo).Mode
			(io/fs.DirEntry).Name
			(io/fs.FileMode).Perm
			(*golang.org/x/sys/unix.Timespec).Nano
			golang.org/x/sys/unix.UnixRights
			golang.org/x/sys/unix.CmsgSpace
			golang.org/x/sys/unix.ParseSocketControlMessage
			golang.org/x/sys/unix.ParseUnixRights
			(*net/http.Request).PathValue
			net/http.NewServeMux
			(net.IP).String
			(net.IP).To16
			(net.IP).To4
			net.JoinHostPort
			net.SplitHostPort
			net/netip.ParseAddr
			(net/netip.Addr).String
			os.Environ
			os.Geteuid
			os.Getenv
			os.Getpagesize
			os.Getpid
			os.NewFile
			os.NewSyscallError
			os.UserHomeDir
			runtime.LockOSThread
			runtime.UnlockOSThread
			runtime/debug.ReadBuildInfo
			github.com/coreos/go-systemd/v22/daemon.SdWatchdogEnabled
		`,
		"it writes to memory: a buffer": `
			internal/logs.escapeAs: fmt.Fprintf
			(*supervise.screen).line: fmt.Fprint
			(*supervise.screen).line: fmt.Fprintln
			(*supervise.screen).table: fmt.Fprintln
		`,
		"the kernel answers from its own memory, and nobody can hold it up": `
			golang.org/x/sys/unix.ClockGettime
			golang.org/x/sys/unix.FcntlInt
			golang.org/x/sys/unix.Getrlimit
			golang.org/x/sys/unix.Getsockname
			golang.org/x/sys/unix.GetsockoptInt
			golang.org/x/sys/unix.GetsockoptTCPInfo
			golang.org/x/sys/unix.Gettid
			golang.org/x/sys/unix.Listen
			golang.org/x/sys/unix.MemfdCreate
			golang.org/x/sys/unix.Pipe2
			golang.org/x/sys/unix.SetNonblock
			golang.org/x/sys/unix.SetsockoptInt
			golang.org/x/sys/unix.SetsockoptSockFprog
			golang.org/x/sys/unix.Shutdown
			golang.org/x/sys/unix.Socket
			golang.org/x/sys/unix.Socketpair
			internal/sys.listenUnix: golang.org/x/sys/unix.Fchmod
			syscall.Kill
			internal/sys.zoneID: net.InterfaceByName
			internal/sys.zoneName: net.InterfaceByIndex
			path/filepath.Abs
			internal/sys.setAction: golang.org/x/sys/unix.RawSyscall6
			internal/sys.HasTerminal: os.ReadFile
			supervise.procStat: os.ReadFile
			supervise.rss: os.ReadFile
			(internal/cgroup.Memory).Kills: os.ReadFile
			internal/sys.SetOOMScore: os.WriteFile
			internal/sys.WriteAt: golang.org/x/sys/unix.Pwrite
			internal/sys.MapWords: golang.org/x/sys/unix.Fstat
			internal/sys.MapWords: golang.org/x/sys/unix.Ftruncate
			internal/sys.MapWords: golang.org/x/sys/unix.Mmap
			(*internal/sys.SharedWords).Unmap: golang.org/x/sys/unix.Munmap
			golang.org/x/sys/unix.PthreadSigmask
			internal/sys.NoteSignals: internal/sys.noteSignalEntry
			internal/sys.AllowWitness: golang.org/x/sys/unix.Prctl
			internal/sys.children: path/filepath.Glob
			internal/sys.children: os.ReadFile
			internal/sys.children: os.ReadDir
			internal/sys.zombie: os.ReadFile
			internal/sys.Awaited: os.ReadDir
			internal/sys.Awaited: os.Readlink
			internal/sys.Awaited: os.ReadFile
			(internal/sys.Zombie).Reap: golang.org/x/sys/unix.PidfdOpen
			syscall.Gettid
		`,
		"the descriptor is of a pipe, socket or file that nothing waits for when it is closed": `
			(*os.File).Close
			golang.org/x/sys/unix.Close
		`,
		"it only finds the descriptor, or a deadline": `
			(*os.File).SyscallConn
			(syscall.RawConn).Control
			(*os.File).SetReadDeadline
		`,
		"it is asked not to wait: MSG_DONTWAIT, O_NONBLOCK, WNOHANG": `
			(*internal/sys.PacketConn).Send$1: golang.org/x/sys/unix.SendmsgN
			internal/sys.ReadNow: golang.org/x/sys/unix.Read
			internal/sys.receive: golang.org/x/sys/unix.Recvmsg
			internal/sys.WriteNow: golang.org/x/sys/unix.Write
			internal/sys.StaleUnix: golang.org/x/sys/unix.Connect
			internal/sys.Readable: golang.org/x/sys/unix.Poll
			internal/sys.Reap: syscall.Wait4
			internal/sys.ContinueStopped: golang.org/x/sys/unix.Syscall6
			internal/sys.Ended: golang.org/x/sys/unix.Syscall6
			internal/sys.Zombies: golang.org/x/sys/unix.Syscall6
			(internal/sys.Zombie).Reap: golang.org/x/sys/unix.Waitid
		`,
		"the lock is held for some instructions, and never through a call that waits": `
			(*sync.Mutex).Unlock
			(*supervise.controlListener).keepSpare: (*sync.Mutex).Lock
			(*internal/logs.FanOut).HasReaders: (*sync.Mutex).Lock
			(*internal/logs.FanOut).Send: (*sync.Mutex).Lock
			(*internal/logs.Queue).Write: (*sync.Mutex).Lock
			(*internal/logs.Queue).Abandon: (*sync.Mutex).Lock
			(*internal/logs.Queue).Close: (*sync.Mutex).Lock
			(*internal/logs.Queue).Counted: (*sync.Mutex).Lock
			(*internal/logs.Queue).idle: (*sync.Mutex).Lock
			(*internal/logs.Sink).Write: (*sync.Mutex).Lock
			(*internal/logs.Sink).Last: (*sync.Mutex).Lock
			(*supervise.notifier).close: (*sync.Mutex).Lock
			(*supervise.signalInbox).add: (*sync.Mutex).Lock
			(*supervise.signalInbox).hold: (*sync.Mutex).Lock
			(*supervise.signalInbox).take: (*sync.Mutex).Lock
			(*supervise.notifier).sign: (*sync.Mutex).Lock
			(*supervise.notifier).tell: (*sync.Mutex).Lock
			(internal/logs.textHandler).Handle: (*sync.Mutex).Lock
		`,
		"the channel has room for the one answer that is sent": `
			(*supervise.controlServer).ask$1$1: send
			(*supervise.controlServer).connections$1$1: send
			(*supervise.controlServer).connections$1: send
		`,
		"it looks at a lock, or takes it, and does not wait for it; the file is the pid file, which is open": `
			internal/sys.HoldPart: golang.org/x/sys/unix.FcntlFlock
		`,
		"it is what the owner waits in": `
			(*supervise.master).serve: select
		`,
		"the reader has been given a deadline that has passed, and what it does with what it has read does not wait": `
			(*internal/logs.Capture).Pause: receive
			(*supervise.master).collect: receive
			(*supervise.master).collect: select
		`,
		"a fork and an exec of an open file, which the kernel does at once or refuses; a file system that no longer answers is out of reach, as for any program": `
			(*internal/sys.Starter).Start: receive
			(*internal/sys.Starter).Start: send
			internal/sys.ExecInPlace: golang.org/x/sys/unix.RawSyscall6
			internal/sys.ExecInPlace: syscall.Exec
			(*internal/sys.Process).Start: syscall.ForkExec
			supervise.openProgram: syscall.Open
			supervise.openProgram: syscall.Fstat
			supervise.sameContents: syscall.Fstat
		`,
		"the path is that of a Unix socket, a device or our own /proc; a file system that no longer answers is out of reach": `
			internal/sys.bind: golang.org/x/sys/unix.Bind
			internal/sys.listenUnix: golang.org/x/sys/unix.Bind
			internal/sys.listenUnix: os.Lchown
			internal/sys.listenUnix: os.Remove
			internal/sys.widen: golang.org/x/sys/unix.Open
			internal/sys.widen: golang.org/x/sys/unix.Fstat
			internal/sys.widen: os.Chmod
			internal/sys.FileAt: golang.org/x/sys/unix.Lstat
			internal/sys.RemoveFile: os.Remove
			internal/sys.StaleUnix: os.Lstat
			internal/sys.UnlinkStale: os.Remove
			internal/sys.ReopenPipe: golang.org/x/sys/unix.Open
			internal/sys.ReopenToRead: golang.org/x/sys/unix.Open
			(*supervise.controlListener).keepSpare: syscall.Open
			supervise.fileOf: syscall.Stat
		`,
		"it is given an address and no name: the book of hosts has them": `
			internal/sys.resolve: net.ResolveTCPAddr
			internal/sys.resolve: net.ResolveUDPAddr
		`,
		"it adds what is there to the runtime's poller": `
			supervise.newControlListener: net.FileListener
		`,
		"only the command line has it done: the walk takes onFD to call what anybody gives it": `
			(*internal/sys.Keyboard).Resume: golang.org/x/sys/unix.IoctlSetTermios
			internal/sys.OpenKeyboard: golang.org/x/sys/unix.IoctlGetTermios
			internal/sys.TerminalSize: golang.org/x/sys/unix.IoctlGetWinsize
			internal/sys.flock: golang.org/x/sys/unix.Flock
			internal/sys.IsTerminal: golang.org/x/sys/unix.IoctlGetTermios
		`,
		"it is bounded by 50 ms": `
			(*supervise.master).bury: select
			(*internal/logs.Queue).Flush: time.Sleep
		`,
		"the end of the master, when there is nothing more to answer: bounded by a second": `
			supervise.await: select
			(*internal/sys.Starter).Close: receive
			(*supervise.runDir).release: (*os.File).Truncate
		`,
		"an exec, when everything has been frozen and there is nobody to answer: the witness has a deadline of two seconds, and the readers end with their channels": `
			supervise.startWitness: io.ReadAll
			(*supervise.signalInbox).detach: (*sync.WaitGroup).Wait
		`,
		"the handler of the runtime is told": `
			os/signal.Ignore
			os/signal.Notify
			os/signal.Stop
			golang.org/x/sys/unix.Tgkill
		`,
	}
}
