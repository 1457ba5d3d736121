package main

// A fault is a row of the table.
type fault struct {
	kind, name string
	holds      string // what a test sees from outside
	tests      []test
}

// e2e and supervised are where most faults are injected.
const (
	e2e        = "internal/e2e"
	supervised = "supervise"
	logging    = "internal/logs"
	fleet      = "internal/fleet"
)

func in(dir string, names ...string) (tests []test) {
	for _, n := range names {
		tests = append(tests, test{dir, n})
	}
	return tests
}

func both(a, b []test) []test { return append(a, b...) }

// list is every fault, in the order of the table.
func list() []fault {
	var all []fault
	add := func(kind string, rows ...fault) {
		for _, f := range rows {
			f.kind = kind
			all = append(all, f)
		}
	}
	add("Crashes", crashes()...)
	add("Hangs", hangs()...)
	add("The master and its files", masters()...)
	add("Changes", changes()...)
	add("Resources", resources()...)
	add("Logs", logs()...)
	add("Clients", clients()...)
	return all
}

func crashes() []fault {
	return []fault{
		{
			name: "a worker is killed (SIGKILL), again and again under load", holds: "only requests in flight on its connections fail; the next worker serves within milliseconds; what waits in the accept queue is served",
			tests: in(e2e, "TestKillUnderLoad", "TestKillLosesNothingQueued", "TestReplacementTime"),
		},
		{
			name: "a callback panics, or ends its goroutine", holds: "500 and an orderly close for its client; nobody else notices",
			tests: in(e2e, "TestPanicIsolation"),
		},
		{
			name:  "SIGSEGV, SIGABRT, a panic on another goroutine, concurrent map writes, stack overflow, os.Exit",
			holds: "status says which it was, in words; a new worker serves", tests: in(e2e, "TestWorkerEnds"),
		},
		{
			name: "a crash where core files are asked for", holds: "there is one, and the cause says so and why", tests: in(e2e, "TestCoreDumps"),
		},
		{
			name: "a worker crashes at every step of its life", holds: "the service ends up as it was asked to be",
			tests: in(supervised, "TestWorkerKilledAtEveryStep"),
		},
		{
			name: "a crash at every start", holds: "at most 15 starts in ten seconds; other programs are untouched; status says degraded and why",
			tests: in(supervised, "TestCrashLoopIsHeldBack", "TestManySlotsInACrashLoop", "TestExitCauses"),
		},
	}
}

func hangs() []fault {
	return []fault{
		{
			name:  "a callback never returns: an endless loop, a blocked channel",
			holds: "found within the watchdog's time and a second; its stack in the log names the function; replaced; no request on the others fails",
			tests: in(e2e, "TestHungWorker"),
		},
		{
			name:  "a worker hangs with a thousand goroutines, or with its standard error stuck as well",
			holds: "all of them are in the log before it is killed; what cannot be written holds nothing up",
			tests: in(supervised, "TestHungWorkerExplains", "TestHungWorkerThatCannotExplain"),
		},
		{
			name: "a worker is stopped (SIGSTOP)", holds: "shown as silent, replaced and ended; status answers at once meanwhile",
			tests: both(in(e2e, "TestStoppedWorker", "TestStatusIsQuick"), in(supervised, "TestStatusWithAStoppedWorker")),
		},
		{
			name: "the whole service is suspended and resumed", holds: "nobody is taken for hung, no request fails afterwards",
			tests: in(e2e, "TestSuspended"),
		},
		{
			name:  "a terminal suspends the service: Ctrl-Z, and output in the background under stty tostop",
			holds: "it stands still, and goes on after fg or bg as if nothing had been; nothing spins",
			tests: in(supervised, "TestTerminalSuspends", "TestTerminalSuspendsAtAFork", "TestTerminalForbidsOutput"),
		}, {
			name:  "a worker, or a program that it starts, reads from the terminal",
			holds: "that fails at once: workers have none",
			tests: in(supervised, "TestWorkerHasNoTerminal"),
		},
		{
			name: "the terminal of a service hangs up", holds: "the service stops; after nohup it goes on and idles",
			tests: in(supervised, "TestTerminalHangsUp"),
		},
		{
			name: "a worker does not end when it is told to", holds: "killed at the deadline", tests: in(supervised, "TestStubbornWorkerIsKilledAtTheDeadline"),
		},
		{
			name: "a monotonic clock with another beginning", holds: "deadlines, rates and the watchdog are as ever", tests: in(e2e, "TestOtherClock"),
		},
	}
}

func masters() []fault {
	return []fault{
		{
			name: "the master is killed (SIGKILL)", holds: "two seconds later no process of it is left, not even a stopped or hung one; it can be started again at once",
			tests: both(in(e2e, "TestMasterKilled"), in(supervised, "TestKilledMasterLeavesNothing", "TestKilledMasterWithAStoppedWorker")),
		},
		{
			name: "the master is killed at every step of a start, reload, upgrade and stop", holds: "nothing is left, and it can be started again",
			tests: in(supervised, "TestMasterKilledAtEveryStep"),
		},
		{
			name:  "the worker of an exclusive program crashes, hangs, is told to leave or outlives its master; its new code fails in a reload",
			holds: "no two of its processes ever live; clients wait and are not refused; the code before is started again",
			tests: in(supervised, "TestExclusiveReplacements", "TestExclusiveOutlivesMaster", "TestExclusiveBadFiles"),
		},
		{
			name: "twenty starts at once", holds: "one wins, the others say who has", tests: in(supervised, "TestTwentyStartsAtOnce"),
		},
		{
			name: "a pid file with the number of another process", holds: "that process is left alone; start succeeds",
			tests: both(in(e2e, "TestStalePIDFile"), in(supervised, "TestPidFileOfAStranger")),
		},
		{
			name: "the control socket, the pid file or the run directory is removed, or moved away", holds: "made again; still the only master; a daemon's log goes on there",
			tests: both(in(supervised, "TestRemovedRunDir", "TestMovedRunDir", "TestFollowersOfARemovedSocket"), in(e2e, "TestRemovedSocketWithoutDescriptors")),
		},
		{
			name:  "hostile settings: each limit of setrlimit(2), no /proc, closed streams, no directory, an empty environment, a program that may only be executed",
			holds: "check and start say the same, with what would be right; where they say nothing the service starts, and reloads",
			tests: in(supervised, "TestStartUnderHostileSettings", "TestDescriptorsAreCounted", "TestDaemonThatDies", "TestCheckKnowsWhatAStartKnows"),
		},
		{
			name: "a start under umask 0777, or any other", holds: "its owner can use what it makes, and nobody else", tests: in(supervised, "TestStartUnderAnyUmask"),
		},
		{
			name:  "a program, a run directory, a socket and a log whose paths are not UTF-8",
			holds: "reload and upgrade find them again, byte for byte; status shows them escaped", tests: both(in(supervised, "TestPathsThatAreNotText"), in("internal/bytejson", "TestStringsKeepTheirBytes")),
		},
		{
			name:  "two programs whose files have one name, and so one default run directory; a program that was moved, renamed, or is reached by another link",
			holds: "no command acts on the other's service, and says whose it is; its own is found again, or the message says where",
			tests: in(supervised, "TestStrangers", "TestFoundAgain"),
		},
		{
			name:  "a command meets no master, a dead one's socket, one that is stopped, one of another user, one that ends meanwhile, a path that no socket can have",
			holds: "it ends, says which on one line, and has the exit code for it",
			tests: in(supervised, "TestCommandsWithoutAnAnswer", "TestControlPathTooLong"),
		},
		{
			name:  "a service manager, a terminal (Ctrl-S), a pipe or the command that starts a daemon stops reading",
			holds: "the master answers, replaces workers, changes and heeds TERM; the manager gets what it missed in order",
			tests: in(supervised, "TestManagerDoesNotRead", "TestOutputIsStuck", "TestStarterDoesNotRead", "TestNotifierCatchesUp"),
		},
		{
			name: "clients of the control API that ask and do not read; a new file that prints or describes itself without end", holds: "the master serves as ever, and keeps little for them",
			tests: in(supervised, "TestFollowersDoNotRead", "TestDescribesWithoutEnd"),
		},
		{
			name: "hooks of the master that never return", holds: "it answers, replaces workers and changes; at the end it waits ten seconds for them, and not after a second TERM",
			tests: in(supervised, "TestHooksNeverReturn"),
		},
		{
			name: "process 1 of a container, or a child subreaper", holds: "orphans are reaped, of commands of hooks no status is lost; TERM stops",
			tests: in(supervised, "TestFirstProcess", "TestStrangersAreReaped"),
		},
		{
			name: "user code in the master waits for any child", holds: "a worker whose status it takes is replaced, and the log says so", tests: in(supervised, "TestWorkerReapedByOthers"),
		},
		{
			name: "garbage, and too much of it, from a worker's end of the control socket", holds: "the master goes on, in few lines of log", tests: in(e2e, "TestGarbageFromAWorker"),
		},
	}
}

func logs() []fault {
	return []fault{
		{
			name: "a log that takes nothing (/dev/full), and a disk that is full for a while", holds: "every request is answered; what is lost is counted in status and metrics, and told in the log once there is space; no line is cut",
			tests: in(supervised, "TestLogDeviceFull", "TestLogDiskFull"),
		},
		{
			name: "a FIFO as log that nobody reads", holds: "starts, requests, reload, upgrade and stop do not wait for a reader; one that comes is told what is lost", tests: in(supervised, "TestLogFIFO"),
		},
		{
			name: "standard input, output and error closed, full, or read by a head -1", holds: "the service goes on, also through a crash of a worker and an upgrade", tests: in(supervised, "TestClosedStandardStreams"),
		},
		{
			name: "a worker logs 10 MB while the master stands still, or is dead", holds: "its loop goes on; what is lost is counted and told", tests: both(in(e2e, "TestLoopGoesOnWithoutMaster"), in(supervised, "TestLoggingToStoppedMaster", "TestLoggingWithoutMaster")),
		},
		{
			name: "the log is renamed, or put aside, while twenty log", holds: "every line is there, whole, once; an upgrade goes on in the same file", tests: both(in(logging, "TestManyWriters"), in(supervised, "TestRotationAndUpgrade")),
		},
		{
			name: "the master is stopped or dies while its log is followed, or before it is asked for", holds: "logs -f says so; logs shows the end of the file, or says that it was standard error", tests: in(supervised, "TestLogsAfterTheEnd", "TestLogsFollowSaysWhoHasGone"),
		},
		{
			name: "the log is emptied, cut or written to by others (copytruncate)", holds: "put aside by what is in it, neither earlier nor later", tests: in(logging, "TestWhatIsThereCounts"),
		},
		{
			name: "control characters, escape sequences and what is not UTF-8 from clients, programs and panics", holds: "the log has one harmless line for each, below it a stack's, indented, and no credentials", tests: both(in(e2e, "TestNothingForeignInTheLog"), in(logging, "TestNothingHarmful", "TestStackCanBeRead")),
		},
		{
			name: "descriptors that whoever starts the service has left open", holds: "neither a daemon, nor workers, nor what they start have them", tests: both(in(e2e, "TestDescriptors"), in(supervised, "TestDaemonKeepsNothing")),
		},
	}
}

func changes() []fault {
	return []fault{
		{
			name:  "reloads, scales or replacements again and again, while workers drain without a limit",
			holds: "three processes of a slot at most; only the oldest, which is in the way, is hurried, and it is told; nobody else is",
			tests: in(fleet, "TestHurry", "TestExplore"),
		},
		{
			name: "a thousand commands at once", holds: "those of one kind and program are one change, and all say so; more are refused",
			tests: in(fleet, "TestCommandsAreOne", "TestTooManyCommands"),
		},
		{
			name:  "the path of a Unix socket is removed, replaced by somebody's server, or its directory is removed; the control socket likewise",
			holds: "noticed within seconds, said by log, status, readyz, check and reload, and made again; who waits in the queue is answered, also by the next generation; what is somebody else's stays",
			tests: both(in(e2e, "TestRemovedPath", "TestReplacedControlSocket"), in(fleet, "TestLostPath")),
		},
		{
			name: "the wall clock steps", holds: "no worker is replaced for its age, and no uptime jumps, also after an upgrade", tests: in(supervised, "TestAgeIsNoMatterOfTheWallClock"),
		},
		{
			name: "a worker that writes anywhere in the memory that workers share", holds: "it can write its own cell only; a lie about itself moves nobody's sums out of range",
			tests: in(supervised, "TestBoardIsReadByAllAndWrittenByOne"),
		},
		{
			name:  "a reload that drops an address, or a stop, while old workers drain",
			holds: "who waits in its queue is answered, who comes is refused; nobody hangs or is reset (TCP, a socket a worker, Unix)",
			tests: both(in(e2e, "TestDroppedAddress"), in(fleet, "TestDroppedSocket")),
		},
		{
			name: "more sockets than one message, variable or table has room for", holds: "they are served through a crash, scale, reload and upgrade",
			tests: in(supervised, "TestManySockets", "TestTooManySockets", "TestFewDescriptors", "TestLongestMessage", "TestMessageWithoutDescriptors"),
		},
		{
			name: "an order to a worker is lost, or cannot be delivered", holds: "it is given again; a scale waits for it; a worker that takes none is replaced",
			tests: in(fleet, "TestOrders", "TestDrainThatIsNotTaken", "TestExplore"),
		},
		{
			name:  "connections that handlers of net/http have hijacked, and event streams, in a reload, an upgrade, a scale or a stop",
			holds: "they live until they close or the deadline comes; `RegisterOnShutdown` is called when the drain begins; they are counted",
			tests: in(supervised, "TestHijackedConnections", "TestHijackedThroughLayers", "TestHijackedConnectionsEndAtTheDeadline",
				"TestShutdownFunctions", "TestEventStreamDuringAReload", "TestHTTP2DuringAReload"),
		},
		{
			name: "reloads and upgrades under load", holds: "no request fails, on connections that stay or come; the old workers go", tests: in(e2e, "TestReloadUnderLoad"),
		},
		{
			name: "a hundred SIGHUP, SIGUSR2 or both in a second", holds: "two or three changes, then two workers and no descriptor more", tests: in(supervised, "TestHundredSignals"),
		},
		{
			name: "two hundred signals of every kind in a second", holds: "no request fails; one master and two workers are left", tests: in(e2e, "TestSignalStorm"),
		},
		{
			name:  "a new file that exits, hangs, is never ready, crashes after Ready, is of another architecture, half-written, empty, missing, a directory, not executable",
			holds: "reload and upgrade say why and fail; the old code serves, also after a crash", tests: in(supervised, "TestBadFiles"),
		},
		{
			name: "an exec that fails", holds: "the old master goes on", tests: in(supervised, "TestExecThatFails"),
		},
		{
			name: "a new master that cannot take over", holds: "the file before goes on, in the same process; no request fails; the upgrade says why",
			tests: in(supervised, "TestWayBack"),
		},
		{
			name:  "a restart with such a file, with one that fails only as the master, without its log's directory, with an address that is taken, with a user that does not exist",
			holds: "what can be seen before ends the restart while the service goes on; otherwise the file before is executed again and serves; both say why",
			tests: in(supervised, "TestBadRestarts", "TestRestartWithoutItsLog", "TestRestartDuringAnUpgrade"),
		},
		{
			name: "signals during upgrades", holds: "none is fatal, none is lost; a stop answers what is in flight",
			tests: in(supervised, "TestSignalsDuringUpgrades", "TestSignalsAroundExec", "TestStopAroundExec"),
		},
		{
			name: "a signal to every process of the service, or two within milliseconds", holds: "it cuts off no more than one to the master does",
			tests: in(supervised, "TestStopOfEveryProcess", "TestOtherSignalsOfEveryProcess", "TestWorkerHeedsSignals"),
		}, {
			name:  "signals for workers, and for a new file that says what it is, from their first moment on",
			holds: "what is no stop signal ends no reload or upgrade",
			tests: in(supervised, "TestSignalsForNewborns", "TestSignalsForADescription"),
		},
		{
			name: "upgrade and back", holds: "same pid, no request lost, requests in flight are answered", tests: in(supervised, "TestUpgradeAndBack", "TestNothingIsLost"),
		},
		{
			name: "fewer sockets of a program with a socket for each worker", holds: "what waits in those that go is served", tests: in(supervised, "TestSocketsOfRemovedSlotsAreHeard"),
		},
		{
			name: "a worker that has served its time", holds: "replaced, and no client notices", tests: in(e2e, "TestRecycling"),
		},
		{
			name: "TERM for a worker, or for every process of the service at once", holds: "the worker is replaced, the service stops, and every accepted request is answered",
			tests: in(supervised, "TestTerminatedWorker", "TestEverybodyIsTerminated"),
		},
		{
			name: "a stop under load", holds: "every accepted request is answered", tests: in(e2e, "TestStopUnderLoad", "TestStopSendsEveryAnswer"),
		},
	}
}

func resources() []fault {
	return []fault{
		{
			name: "accept fails: EMFILE, ENFILE, ENOBUFS, ENOMEM, ECONNABORTED, EINTR", holds: "existing connections are served, nothing spins, accepting goes on; counted", tests: in(e2e, "TestAcceptFails"),
		},
		{
			name: "no descriptor left", holds: "existing connections are served; those that wait are served when there is room", tests: in(e2e, "TestOutOfDescriptors", "TestFewDescriptors"),
		},
		{
			name:  "a worker takes more memory than its control group has",
			holds: "the cause says out of memory, which a SIGKILL by a person does not; replaced; the master is not what is killed; with MaxRSS it is replaced in time and no request fails",
			tests: in(e2e, "TestOutOfMemory", "TestOutOfMemoryElsewhere", "TestMaxRSSBeforeOutOfMemory", "TestOOMShield", "TestMemoryLimit"),
		},
		{
			name: "no process can be started (EAGAIN)", holds: "the master lives, says so once and goes on trying; a reload is refused; those who serve do not notice", tests: in(e2e, "TestForkFails"),
		},
		{
			name: "the master has no descriptor left", holds: "it answers, refuses what it cannot do, leaks nothing, and stops when told to", tests: in(e2e, "TestMasterOutOfDescriptors"),
		},
		{
			name: "send fails or is short: EINTR, EAGAIN, ENOBUFS, some bytes taken", holds: "every byte arrives, once", tests: in(e2e, "TestSendFails"),
		},
		{
			name: "the kernel has no memory for what is sent, of sockets that it calls writable", holds: "it is tried again less and less often, and arrives", tests: in(e2e, "TestKernelWithoutMemory"),
		},
		{
			name: "every call of a worker is interrupted (EINTR)", holds: "nothing changes", tests: in(e2e, "TestInterrupted"),
		},
		{
			name: "root may not switch the user", holds: "start fails and says what is missing", tests: in(e2e, "TestCannotSwitch", "TestPrivileges"),
		},
	}
}

func clients() []fault {
	return []fault{
		{
			name: "an accept queue that overflows while all workers stand still", holds: "status shows it; everybody is served afterwards", tests: in(e2e, "TestAcceptQueueOverflows"),
		},
		{
			name: "thousands of connections reset, in the queue and within requests and answers", holds: "no descriptor is lost, the log is not flooded, a bystander is served", tests: in(e2e, "TestClientsReset"),
		},
		{
			name: "slow requests: a header, a body, a byte at a time", holds: "they end at their deadlines; others do not notice", tests: in("web", "TestSlowClients", "TestDeadlines", "TestMinBodyRate"),
		},
		{
			name: "slow readers of large answers, a slow member of a group", holds: "memory is bounded, they are closed when they stall; others do not notice",
			tests: append(in(".", "TestSlowReaders", "TestWriteStall", "TestBudget"), in("websocket", "TestSlowMember")...),
		},
		{
			name: "120 clients that each make a worker keep 9 MiB of a body, message, frame or response, and wait", holds: "the worker takes less than 80 MiB with a budget of 32 MiB; others do not notice",
			tests: both(in(e2e, "TestBudgetOfAWorker"), in(".", "TestBudgetHolds", "TestBudgetOfPanics", "TestRefIsBounded")),
		},
		{
			name: "clients that spend the memory budget again and again, without an OnError", holds: "the log hears of one fault of the system now and then, and how often it was",
			tests: both(in(".", "TestFaultsDoNotFillTheLog"), in("web", "TestBudgetIsOneFault")),
		},
		{
			name: "clients that wait for 100 Continue, whatever of the response was sent already", holds: "they hear whether their body is wanted ahead of the response, or get that alone",
			tests: in("web", "TestExpectIsAnswered", "TestExpectIsAnsweredInTheEnd"),
		},
		{
			name:  "connections and Pipes on which nothing can move: nobody reads, and either end has sent FIN or a reset, over TCP and Unix",
			holds: "the worker uses less than a hundredth of a processor", tests: both(in("examples/tcpproxy", "TestStuckConnectionsCostNothing"), in(".", "TestNothingSpins")),
		},
		{
			name: "half-closed clients", holds: "they get their answer", tests: both(in(".", "TestLateAnswerAfterHalfClose", "TestGoneIsNoEnd"), in("web", "TestHalfClosedClientGetsItsLaterAnswer")),
		},
		{
			name: "clients that leave, in order or by a reset, while the server does not read", holds: "the handler is told at once, and once; what they sent before is delivered",
			tests: append(in("internal/loop", "TestGone", "TestResetAfterTheEnd"), both(in(".", "TestGoneWhilePaused", "TestResetWhileHeld"), in("web", "TestLaterIsToldThatTheClientLeaves"))...),
		},
		{
			name: "a response that the program never gives, an upload that it never resumes", holds: "504, or a response that is cut short, after `ResponseTimeout`; a stream that goes on may last",
			tests: in("web", "TestResponsesThatNeverCome", "TestAStreamThatGoesOn"),
		},
		{
			name: "a field, cookie or status that may not be sent", holds: "500 and a line in the log where the error is ignored; otherwise what the handler answers",
			tests: in("web", "TestRefusedFields", "TestWhatIsLoggedByDefault"),
		},
		{
			name:  "uploads that the server itself holds up, and responses that are taken slowly",
			holds: "no time of the client's passes meanwhile", tests: both(in(".", "TestPaused"), in("web", "TestUploadsThatTheServerHoldsUp", "TestTimeGoesOnAfterAPause", "TestSlowReaderIsNotIdle")),
		},
		{
			name:  "requests hidden in a body that is withheld, cut short or answered before it has come",
			holds: "no byte of a body is read as a request; the response says close where the connection closes", tests: in("web", "TestEndsBeforeTheBody"),
		},
		{
			name:  "a response or message that exceeds what may be unsent, `DropNewest` or not",
			holds: "500 while nothing of the response was sent; otherwise it is queued whole or the connection ends; messages are dropped whole",
			tests: append(in("web", "TestResponseWithoutRoom"), append(in("websocket", "TestDropNewest"), in("framing", "TestDropNewest")...)...),
		},
		{
			name: "slow readers that never pause, and busy uploads that were answered early", holds: "they are not cut, while they are open, closed or piped; who stalls or trickles is",
			tests: in(".", "TestSlowSteadyReaders", "TestUploadAnsweredEarly", "TestStalledPeers", "TestLifetimeBoundsFlushing"),
		},
		{
			name: "connections and pipes that can do nothing: peers idle, finished, reset or both, output stuck, reading paused, TCP and Unix", holds: "no loop turns, and the process takes less than 1 % of a processor",
			tests: in(".", "TestNothingSpins"),
		},
		{
			name: "a descriptor's number used again while events of its last owner are due", holds: "the new connection does not get them", tests: in("internal/loop", "TestStaleGenerationIsDropped", "TestReusedDescriptorGetsNoStaleEvent"),
		},
	}
}
