package fleet

import "time"

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
	background := Spec{Name: "b", Count: 1, StartTimeout: time.Second, StopTimeout: NoTimeout, NotReloadable: true}
	same := func(specs ...Spec) []Spec { return specs }
	return []exploreCase{
		{name: "one worker", first: same(one(1, false)), next: same(one(1, false)), budget: budget{commands: 2, crashes: 2, fails: 1, waits: 1}},
		{name: "two workers", first: same(one(2, false)), next: same(one(2, false)), budget: budget{commands: 2, crashes: 1}},
		{name: "own sockets, fewer workers", first: same(one(2, true)), next: same(one(1, true)), budget: budget{commands: 2, crashes: 1}},
		{name: "from a shared socket to own ones", first: same(one(1, false)), next: same(one(2, true)), budget: budget{commands: 1, crashes: 1, fails: 1}},
		{name: "a program that is not reloaded", first: same(one(1, false), background), next: same(one(1, false), background),
			budget: budget{commands: 1, crashes: 1, waits: 1}},
		{name: "a program that vanishes", first: same(one(1, false), background), next: same(one(1, false)), budget: budget{commands: 2, crashes: 1}},
		{name: "a worker that hangs", first: same(one(1, false)), next: same(one(1, false)), budget: budget{commands: 1, crashes: 1, fails: 1, hangs: 1}},
		{name: "two that hang, of two", first: same(one(2, true)), next: same(one(2, true)), budget: budget{commands: 1, hangs: 2, only: CommandScale}},
		{name: "a worker that has served its time", first: same(one(1, false)), next: same(one(1, false)), budget: budget{commands: 1, crashes: 1, recycles: 1}},
		{name: "a dropped address", first: same(two(1, false)), next: same(one(1, false)), budget: budget{commands: 2, crashes: 1}},
		{name: "an address that is somebody's", first: same(one(1, false)), next: same(two(1, false)), budget: budget{commands: 2, binds: 1, only: CommandReload},
			reaches: []milestone{failedBind}},
		{name: "a file on trial", first: same(one(1, false)), next: same(one(1, false)), budget: budget{commands: 2, crashes: 1, trials: 1}},
		{name: "three reloads", first: same(one(1, false)), next: same(one(1, false)), budget: budget{commands: 3, only: CommandReload},
			reaches: []milestone{besideDrain, waitsForDrain}},

		// Orders, and what is heard of them.
		{name: "orders that are lost, own sockets", first: same(one(2, true)), next: same(one(1, true)), budget: budget{commands: 2, losses: 1},
			reaches: []milestone{unknown, unheard, unheardOf}},
		{name: "orders that are lost, and a crash", first: same(one(1, false), background), next: same(one(1, false), background),
			budget: budget{commands: 1, crashes: 1, losses: 2}, reaches: []milestone{unknown, unheard}},
		{name: "a dropped address, own sockets, lost orders", first: same(two(2, true)), next: same(one(1, true)), budget: budget{commands: 2, losses: 1},
			reaches: []milestone{unknown, unheard}},
		{name: "a worker that goes deaf", first: same(one(2, true)), next: same(one(2, true)), before: reloaded(0),
			budget:  budget{commands: 1, deaf: 1, only: CommandScale},
			reaches: []milestone{deafReplaced}},
		{name: "a worker that goes deaf and drains without a limit", first: same(endless(1)), next: same(endless(1)),
			budget: budget{commands: 1, deaf: 1, only: CommandReload}, reaches: []milestone{unknown, deafKilled}},

		// What drains is in the way.
		{name: "replaced again and again, without a limit", first: same(endless(1)), next: same(endless(1)), budget: budget{commands: 1, recycles: 4},
			reaches: []milestone{hurried}},
		{name: "scaled again and again, without a limit", first: same(endless(1)), next: same(endless(1)), before: scaled(2),
			budget:  budget{commands: 3, only: CommandScale},
			reaches: []milestone{hurried, waitsForSlot}},
		{name: "reloads without a limit", first: same(endless(1)), next: same(endless(1)), budget: budget{commands: 5, only: CommandReload},
			reaches: []milestone{besideDrain, hurried, waitsForDrain}},
		{name: "reloads while two generations drain without a limit, and orders that are lost", first: same(endless(1)), next: same(endless(1)), before: reloaded(2),
			budget: budget{commands: 2, losses: 2, only: CommandReload}, reaches: []milestone{unknown, unheard, hurried, waitsForDrain}},
		{name: "everything while two generations drain without a limit", first: same(endless(1)), next: same(endless(1)), before: reloaded(2),
			budget: budget{commands: 2, crashes: 1, recycles: 1}, reaches: []milestone{hurried, waitsForDrain}},
		{name: "a second reload while the first one's workers do not know that they drain", first: same(one(1, false)), next: same(one(1, false)), before: reloaded(1),
			budget: budget{commands: 2, losses: 2, crashes: 1, only: CommandReload}, reaches: []milestone{unknown, unheard, besideDrain}},

		// Paths of Unix sockets.
		{name: "a path that is lost", first: same(unix(2)), next: same(unix(1)), budget: budget{commands: 1, crashes: 1, paths: 2, only: CommandReload},
			reaches: []milestone{newPath, lostPath}},
		{name: "a path that is lost, and orders that are", first: same(unix(1)), next: same(unix(1)), budget: budget{commands: 1, losses: 1, paths: 1},
			reaches: []milestone{newPath, unheardOf}},

		// Exclusive programs.
		{name: "an exclusive program", first: same(exclusive("a", 10*time.Second)), next: same(exclusive("a", 10*time.Second)),
			budget: budget{commands: 2, crashes: 2, fails: 1, waits: 1, states: 1000}},
		{name: "an exclusive program beside another", first: same(one(1, false), exclusive("b", NoTimeout)), next: same(one(1, false), exclusive("b", NoTimeout)),
			budget: budget{commands: 2, crashes: 1, recycles: 1, states: 1000}},
		{name: "an exclusive program is exchanged after another", first: same(one(1, false), exclusive("b", NoTimeout)), next: same(one(1, false), exclusive("b", NoTimeout)),
			before: reloaded(0), budget: budget{commands: 1, crashes: 1, only: CommandReload, states: 1000}, reaches: []milestone{exchanged, settlesAgain}},
		{name: "an exclusive program that hangs and takes no orders", first: same(exclusive("a", time.Second)), next: same(exclusive("a", time.Second)),
			budget: budget{commands: 1, crashes: 1, hangs: 1, recycles: 1, losses: 2, states: 1000}},
		{name: "a program becomes exclusive", first: same(one(2, false)), next: same(exclusive("a", time.Second)), budget: budget{commands: 2, crashes: 1, fails: 1, states: 1000}},
		{name: "a program is exclusive no more", first: same(exclusive("a", time.Second)), next: same(one(2, true)), budget: budget{commands: 2, crashes: 1, fails: 1, states: 1000}},
		{name: "an exclusive program vanishes and comes back", first: same(one(1, false), exclusive("b", NoTimeout)), next: same(one(1, false)),
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
