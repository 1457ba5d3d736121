package fleet

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jay-go/jay/internal/needs"
)

// TestExplore drives the real machine through every order of events that small
// numbers of workers, crashes and commands allow, and holds every state against
// the invariants of docs/supervision.md. EXPLORE_STATES is how many states are
// visited in each case, the shortest ways first.
//
// Effects may be lost: a fork fails, a socket cannot be bound, an order is lost on its
// way or known to be undelivered, is carried out and its acknowledgement is lost, or is
// never taken by a process that has gone deaf. Whatever drains ends at any time, or
// never, and may be in the way of the next reload, scale or replacement; some cases
// begin with two generations that drain. Where a case is about such a state, it says so
// (reaches), and fails if the exploration does not come to it.
func TestExplore(t *testing.T) {
	t.Parallel()
	for _, tt := range exploreCases() {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := newFakeService(tt.first...)
			if err != nil {
				t.Fatal(err)
			}
			if tt.before != nil {
				tt.before(s, tt.next)
			}
			s.World.Slow = tt.budget.losses > 0 || tt.budget.deaf > 0
			if tt.budget.trials > 0 {
				s.beginTrial()
			}
			e, short := newExplorer(t, tt)
			e.visit(&situation{fakeService: s, budget: tt.budget})
			t.Logf("%d states, %v", len(e.seen), e.reached)
			if len(e.seen) < 100 {
				t.Errorf("only %d states: the exploration explores nothing", len(e.seen))
			}
			for _, want := range tt.reaches {
				if e.reached[want] == 0 && !short {
					t.Errorf("the exploration does not come to a state where %s", want)
				}
			}
		})
	}
}

// newExplorer also says whether it visits fewer states than are meant to be.
func newExplorer(t *testing.T, c exploreCase) (e *explorer, short bool) {
	e = &explorer{
		t: t, first: c.first, next: c.next, drops: len(c.next[0].Listen) < len(c.first[0].Listen),
		seen: map[[sha256.Size]byte]bool{}, reached: map[milestone]int{}, limit: cmp.Or(c.budget.states, exploreStates),
	}
	if needs.RaceDetector() { // it has nothing to find in one goroutine, and takes ten times as long for it
		short, e.limit = true, 400
	}
	if n, err := strconv.Atoi(os.Getenv("EXPLORE_STATES")); err == nil {
		short, e.limit = n < e.limit, n
	}
	return e, short
}

// exploreStates are visited in each case that does not say otherwise.
const exploreStates = 1250

// budget bounds what may go wrong or be asked for on one path.
type budget struct {
	commands, crashes, fails, waits, hangs, recycles int
	losses                                           int // of orders and of acknowledgements; with any, orders take their time
	deaf                                             int // processes that take no orders any more; likewise
	paths                                            int // of Unix sockets that are lost
	binds                                            int // of addresses that fail
	backs                                            int // files that say what the first one said
	admits                                           int // of sockets that cannot be had back

	trials int         // 1: a restart has just executed the file
	only   CommandKind // "" is all
	states int         // to visit; 0: the usual number
}

// situation is a place in the exploration.
type situation struct {
	*fakeService
	budget budget
	path   []string
}

func (s *situation) copy() *situation {
	return &situation{fakeService: s.fakeService.copy(), budget: s.budget, path: slices.Clone(s.path)}
}

type explorer struct {
	t     *testing.T
	first []Spec
	next  []Spec
	drops bool // next drops an address
	seen  map[[sha256.Size]byte]bool
	limit int

	reached map[milestone]int // how many states visited it was
}

// visit explores breadth first, so that what it reports is shortest. Each state
// goes through the encoding of an upgrade, which loses nothing.
func (e *explorer) visit(first *situation) {
	queue := []*situation{first}
	e.seen[first.key()] = true
	for len(queue) > 0 && !e.t.Failed() && len(e.seen) < e.limit {
		s := queue[0]
		queue[0] = nil // the memory of it
		queue = queue[1:]
		before := encodingOf(&s.Machine.State)
		s.fakeService = s.clone()
		if !bytes.Equal(before, encodingOf(&s.Machine.State)) {
			e.t.Fatalf("an upgrade would not carry all of the state after: %s\n%+v", strings.Join(s.path, "\n       "), s.Machine.State)
		}
		e.checkEnds(s)
		for _, c := range e.choices(s) {
			after := s.copy()
			after.path = append(after.path, c.name)
			before := after.readiness()
			if m := after.Machine; slices.ContainsFunc(m.Queue, func(q *queued) bool { return q.Kind == CommandScale }) {
				before = readiness{} // a scale may take whom it wants
			}
			c.do(after)
			e.check(after, before, c)
			if k := after.key(); !e.seen[k] {
				e.seen[k] = true
				queue = append(queue, after)
				e.note(after)
			}
		}
	}
}
