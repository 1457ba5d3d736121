// Package fleet decides what the workers of a service do: when one starts, serves,
// drains, is replaced, and is given up, and how a whole generation of them takes
// the place of another. It is a state machine: events in, verbs out. It knows no
// messages, no processes and no clock. Package supervise makes the processes, speaks
// with them, and tells the machine what has come of it.
//
//	Ready, Exited, Taken, Command, Tick …          (events.go)
//	                  │
//	                  ▼
//	    Machine.Step: take the event, then advance: do what is due until nothing is
//	                  │
//	                  ▼
//	Start, Drain, GiveSockets, Kill, Open, Describe …   (world.go)
//
// The machine asks for time by one deadline ([Machine.NextDeadline]), at which it wants
// a [Tick]. All that it knows is its [State]: plain data, which an upgrade encodes, and
// from which the machine of the next master goes on ([Resume]).
//
// # One worker's life
//
// A slot that wants a worker has one started as soon as it may (fillSlots in
// slots.go): [World.Start]. The worker is [WorkerStarting] until [Ready] comes, or
// its StartTimeout, which ends it (worker.go). From then on it serves, until one of
// these:
//
//   - It ends: [Exited]. The slot starts another, at once or with backoff, and is given
//     up after so many starts in vain (exits.go, slots.go).
//   - It hangs, or has served its time: [Replace]. Another starts beside it, its
//     replacement. When that is ready the old one drains, or is killed where it hangs
//     (replace.go).
//   - A reload or an upgrade: new workers start beside all old ones. When they have
//     stayed ready for a while the new fleet is the one that counts, and the old
//     drains (change.go).
//   - A scale takes its slot away (scale.go).
//   - Everything stops, or is held (stop.go).
//
// A worker that drains fills no slot. It is [WorkerDraining] until it ends, or until
// the StopTimeout of its program, which ends it. Where many drain without a limit, the
// oldest is hurried as soon as another waits for its place (room.go).
//
// # Where each decision lies
//
//	programs.go    what a file's programs become: slots, and sockets for them
//	slots.go       when a worker is started, and when its slot waits or is given up
//	worker.go      ready, drained, killed
//	exits.go       what an exit means for the slot and for the change in progress
//	replace.go     one worker makes room for another
//	change.go      the stages of a reload and an upgrade, and their end
//	exclusive.go   programs of which no two processes may live
//	scale.go       the number of slots
//	queue.go       which command comes next, and which are one
//	operations.go  what whoever asked for a command learns
//	restart.go     a restart, and the trial of the file that it has executed
//	stop.go        the end of everything, and a hold
//	room.go        how many processes live at once, and who is hurried
//	orders.go      what a worker is told, until it has taken it
//	sockets.go     which sockets end, and when they are closed
//	paths.go       Unix sockets whose path is lost
//	spec.go        what a program asks for, and what a service may consist of
//	state.go       all that is known
//
// # Orders
//
// To drain, to note a reload and to accept from other sockets are orders. Nothing
// counts on an order until the worker says that it has taken it. One that is lost, or
// whose acknowledgement is lost, is given again as what is wanted by then; a worker
// that takes none is replaced where it serves, and killed where it does not.
//
// # Invariants
//
// docs/supervision.md states them. TestExplore drives a machine through every order
// of events that small numbers of workers, crashes, commands and losses allow, and
// holds each state against them. Who adds an event, a verb or a stage teaches the
// fake world of the tests what may become of it.
package fleet
