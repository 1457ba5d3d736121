package fleet

import (
	"slices"
	"time"
)

// exploreCase is what an exploration begins with.
type exploreCase struct {
	name    string
	first   []Spec
	next    []Spec // what a new file says
	budget  budget
	before  func(s *fakeService, next []Spec) // what has happened already; nil: the first workers start
	reaches []milestone                       // what it has to come to
}

// exploreCases are those of TestExplore.
func exploreCases() []exploreCase {
	return slices.Concat(changeCases(), orderCases(), drainCases(), pathCases(), exclusiveCases())
}

func specs(list ...Spec) []Spec { return list }

// changeCases are changes, crashes and hangs, where orders are taken at once.
func changeCases() []exploreCase {
	return []exploreCase{
		{name: "one worker", first: specs(one(1, false)), next: specs(one(1, false)), budget: budget{commands: 2, crashes: 2, fails: 1, waits: 1}},
		{name: "two workers", first: specs(one(2, false)), next: specs(one(2, false)), budget: budget{commands: 2, crashes: 1}},
		{name: "own sockets, fewer workers", first: specs(one(2, true)), next: specs(one(1, true)), budget: budget{commands: 2, crashes: 1}},
		{name: "from a shared socket to own ones", first: specs(one(1, false)), next: specs(one(2, true)), budget: budget{commands: 1, crashes: 1, fails: 1}},
		{name: "a program that is not reloaded", first: specs(one(1, false), background()), next: specs(one(1, false), background()),
			budget: budget{commands: 1, crashes: 1, waits: 1}},
		{name: "a program that vanishes", first: specs(one(1, false), background()), next: specs(one(1, false)), budget: budget{commands: 2, crashes: 1}},
		{name: "a worker that hangs", first: specs(one(1, false)), next: specs(one(1, false)), budget: budget{commands: 1, crashes: 1, fails: 1, hangs: 1}},
		{name: "two that hang, of two", first: specs(one(2, true)), next: specs(one(2, true)), budget: budget{commands: 1, hangs: 2, only: CommandScale}},
		{name: "a worker that has served its time", first: specs(one(1, false)), next: specs(one(1, false)), budget: budget{commands: 1, crashes: 1, recycles: 1}},
		{name: "a dropped address", first: specs(two(1, false)), next: specs(one(1, false)), budget: budget{commands: 2, crashes: 1}},
		{name: "a dropped address that comes back", first: specs(two(1, false)), next: specs(one(1, false)), before: reloaded(1),
			budget: budget{commands: 2, backs: 2, crashes: 1, only: CommandReload}, reaches: []milestone{hadBack}},
		{name: "a dropped address that cannot be had back", first: specs(two(1, false)), next: specs(one(1, false)), before: reloaded(1),
			budget: budget{commands: 1, backs: 1, admits: 1, only: CommandReload}, reaches: []milestone{failedBind}},
		{name: "an address that is somebody's", first: specs(one(1, false)), next: specs(two(1, false)), budget: budget{commands: 2, binds: 1, only: CommandReload},
			reaches: []milestone{failedBind}},
		{name: "a file on trial", first: specs(one(1, false)), next: specs(one(1, false)), budget: budget{commands: 2, crashes: 1, trials: 1}},
		{name: "three reloads", first: specs(one(1, false)), next: specs(one(1, false)), budget: budget{commands: 3, only: CommandReload},
			reaches: []milestone{besideDrain, waitsForDrain}},
	}
}

// orderCases are about orders, and what is heard of them.
func orderCases() []exploreCase {
	return []exploreCase{
		{name: "orders that are lost, own sockets", first: specs(one(2, true)), next: specs(one(1, true)), budget: budget{commands: 2, losses: 1},
			reaches: []milestone{unknown, unheard, unheardOf}},
		{name: "orders that are lost, and a crash", first: specs(one(1, false), background()), next: specs(one(1, false), background()),
			budget: budget{commands: 1, crashes: 1, losses: 2}, reaches: []milestone{unknown, unheard}},
		{name: "a dropped address, own sockets, lost orders", first: specs(two(2, true)), next: specs(one(1, true)), budget: budget{commands: 2, losses: 1},
			reaches: []milestone{unknown, unheard}},
		{name: "a worker that goes deaf", first: specs(one(2, true)), next: specs(one(2, true)), before: reloaded(0),
			budget:  budget{commands: 1, deaf: 1, only: CommandScale},
			reaches: []milestone{deafReplaced}},
		{name: "a worker that goes deaf and drains without a limit", first: specs(endless(1)), next: specs(endless(1)),
			budget: budget{commands: 1, deaf: 1, only: CommandReload}, reaches: []milestone{unknown, deafKilled}},
	}
}

// drainCases are about what drains and is in the way.
func drainCases() []exploreCase {
	return []exploreCase{
		{name: "replaced again and again, without a limit", first: specs(endless(1)), next: specs(endless(1)), budget: budget{commands: 1, recycles: 4},
			reaches: []milestone{hurried}},
		{name: "scaled again and again, without a limit", first: specs(endless(1)), next: specs(endless(1)), before: scaled(2),
			budget:  budget{commands: 3, only: CommandScale},
			reaches: []milestone{hurried, waitsForSlot}},
		{name: "reloads without a limit", first: specs(endless(1)), next: specs(endless(1)), budget: budget{commands: 5, only: CommandReload},
			reaches: []milestone{besideDrain, hurried, waitsForDrain}},
		{name: "reloads while two generations drain without a limit, and orders that are lost", first: specs(endless(1)), next: specs(endless(1)), before: reloaded(2),
			budget: budget{commands: 2, losses: 2, only: CommandReload}, reaches: []milestone{unknown, unheard, hurried, waitsForDrain}},
		{name: "everything while two generations drain without a limit", first: specs(endless(1)), next: specs(endless(1)), before: reloaded(2),
			budget: budget{commands: 2, crashes: 1, recycles: 1}, reaches: []milestone{hurried, waitsForDrain}},
		{name: "a second reload while the first one's workers do not know that they drain", first: specs(one(1, false)), next: specs(one(1, false)), before: reloaded(1),
			budget: budget{commands: 2, losses: 2, crashes: 1, only: CommandReload}, reaches: []milestone{unknown, unheard, besideDrain}},
	}
}

// pathCases are about the paths of Unix sockets.
func pathCases() []exploreCase {
	return []exploreCase{
		{name: "a path that is lost", first: specs(unix(2)), next: specs(unix(1)), budget: budget{commands: 1, crashes: 1, paths: 2, only: CommandReload},
			reaches: []milestone{newPath, lostPath}},
		{name: "a path that is lost, and orders that are", first: specs(unix(1)), next: specs(unix(1)), budget: budget{commands: 1, losses: 1, paths: 1},
			reaches: []milestone{newPath, unheardOf}},
	}
}

// exclusiveCases are about programs of which no two processes may live.
func exclusiveCases() []exploreCase {
	return []exploreCase{
		{name: "an exclusive program", first: specs(exclusive("a", 10*time.Second)), next: specs(exclusive("a", 10*time.Second)),
			budget: budget{commands: 2, crashes: 2, fails: 1, waits: 1, states: 1000}},
		{name: "an exclusive program beside another", first: specs(one(1, false), exclusive("b", NoTimeout)), next: specs(one(1, false), exclusive("b", NoTimeout)),
			budget: budget{commands: 2, crashes: 1, recycles: 1, states: 1000}},
		{name: "an exclusive program is exchanged after another", first: specs(one(1, false), exclusive("b", NoTimeout)), next: specs(one(1, false), exclusive("b", NoTimeout)),
			before: reloaded(0), budget: budget{commands: 1, crashes: 1, only: CommandReload, states: 1000}, reaches: []milestone{exchanged, settlesAgain}},
		{name: "an exclusive program that hangs and takes no orders", first: specs(exclusive("a", time.Second)), next: specs(exclusive("a", time.Second)),
			budget: budget{commands: 1, crashes: 1, hangs: 1, recycles: 1, losses: 2, states: 1000}},
		{name: "a program becomes exclusive", first: specs(one(2, false)), next: specs(exclusive("a", time.Second)), budget: budget{commands: 2, crashes: 1, fails: 1, states: 1000}},
		{name: "a program is exclusive no more", first: specs(exclusive("a", time.Second)), next: specs(one(2, true)), budget: budget{commands: 2, crashes: 1, fails: 1, states: 1000}},
		{name: "an exclusive program vanishes and comes back", first: specs(one(1, false), exclusive("b", NoTimeout)), next: specs(one(1, false)),
			budget: budget{commands: 3, crashes: 1, only: CommandReload, states: 1000}},
	}
}

// reloaded is a service after so many reloads, whose old workers drain.
func reloaded(times int) func(*fakeService, []Spec) {
	return func(s *fakeService, next []Spec) {
		s.allReady()
		for range times {
			s.reload(next...)
		}
	}
}

// scaled is a service that was scaled up and down so many times: as many workers of its
// second slot drain.
func scaled(times int) func(*fakeService, []Spec) {
	return func(s *fakeService, _ []Spec) {
		s.allReady()
		for range times {
			s.command(Command{Kind: CommandScale, Program: "a", Count: 2})
			s.allReady()
			s.command(Command{Kind: CommandScale, Program: "a", Count: 1})
		}
	}
}

// background is a program that keeps its workers through reloads.
func background() Spec {
	return Spec{Name: "b", Count: 1, StartTimeout: time.Second, StopTimeout: NoTimeout, NotReloadable: true}
}

// one is a program with an address.
func one(count int, reusePort bool) Spec {
	return Spec{Name: "a", Listen: []string{"tcp://127.0.0.1:80"}, Count: count, ReusePort: reusePort, StartTimeout: 10 * time.Second, StopTimeout: 10 * time.Second}
}

// two is one with a further address.
func two(count int, reusePort bool) Spec {
	spec := one(count, reusePort)
	spec.Listen = append(spec.Listen, "tcp://127.0.0.1:81")
	return spec
}

// endless is one whose workers may drain for ever.
func endless(count int) Spec {
	spec := one(count, false)
	spec.StopTimeout = NoTimeout
	return spec
}

// unix is one with a Unix socket.
func unix(count int) Spec {
	spec := one(count, false)
	spec.Listen = []string{"unix:///s"}
	return spec
}

func exclusive(name string, stopTimeout time.Duration) Spec {
	return Spec{Name: name, Listen: []string{"tcp://127.0.0.1:82"}, Count: 1, StartTimeout: 10 * time.Second, StopTimeout: stopTimeout, Exclusive: true}
}
