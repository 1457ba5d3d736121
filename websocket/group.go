package websocket

import "slices"

// Group sends to many connections of one worker at once: a message is encoded
// once for all members, and compressed at most once for each window size. It
// belongs to the loop of its members. The zero value is empty and ready.
type Group struct {
	// MaxUnsent is how many bytes may be unsent to a member before it counts
	// as slow. Zero means 1 MiB; negative means no limit but
	// jay.ConnConfig.MaxOutput.
	MaxUnsent int

	// OnSlow decides about a member that is slow, in place of sending it the
	// message: SkipMessage, SendAnyway or CloseMember. Nil closes it, with
	// CloseTryAgain: a client that misses messages should know.
	OnSlow func(c *Conn) SlowPolicy

	members  []*Conn // nil: somebody who left while the members were gone through
	gone     int     // how many are nil
	yielding int     // how often the members are being gone through
}

// SlowPolicy is what becomes of a message for a member that is slow.
type SlowPolicy uint8

const (
	CloseMember SlowPolicy = iota // close the connection with CloseTryAgain
	SkipMessage                   // the member misses this message
	SendAnyway                    // until jay.ConnConfig.MaxOutput
)

// membership is one connection in one group. Those of a connection are a list.
type membership struct {
	group *Group
	index int // in group.members
	next  *membership
}

// Add makes c a member, until Remove or until it closes; in OnClose it is none
// any more. Adding it again does nothing.
func (g *Group) Add(c *Conn) {
	if g.Has(c) || c.state == stateClosed {
		return
	}
	m := &membership{group: g, index: len(g.members), next: c.groups}
	c.groups = m
	g.members = append(g.members, c)
}

// Remove ends the membership of c and reports whether there was one.
func (g *Group) Remove(c *Conn) bool {
	for at := &c.groups; *at != nil; at = &(*at).next {
		if m := *at; m.group == g {
			*at = m.next
			g.drop(m)
			return true
		}
	}
	return false
}

// drop fills the place of m with the last member. While All goes through them
// nobody changes places.
func (g *Group) drop(m *membership) {
	if g.yielding > 0 {
		g.members[m.index] = nil
		g.gone++
		return
	}
	last := len(g.members) - 1
	g.place(g.members[last], m.index)
	g.members[last] = nil
	g.members = g.members[:last]
}

// place puts the member c at index i.
func (g *Group) place(c *Conn, i int) {
	g.members[i] = c
	for m := c.groups; m != nil; m = m.next {
		if m.group == g {
			m.index = i
		}
	}
}

// leaveAll ends all memberships of c.
func (c *Conn) leaveAll() {
	for m := c.groups; m != nil; m = m.next {
		m.group.drop(m)
	}
	c.groups = nil
}

// Has reports whether c is a member.
func (g *Group) Has(c *Conn) bool {
	for m := c.groups; m != nil; m = m.next {
		if m.group == g {
			return true
		}
	}
	return false
}

// Len returns the number of members.
func (g *Group) Len() int { return len(g.members) - g.gone }

// All calls yield for each member, in no order, until it returns false.
// Meanwhile members may come, whom it leaves out, and go.
func (g *Group) All(yield func(c *Conn) bool) {
	g.yielding++
	defer g.yielded()
	for i := range len(g.members) {
		if c := g.members[i]; c != nil && !yield(c) {
			return
		}
	}
}

// yielded fills the places of those who left during All.
func (g *Group) yielded() {
	if g.yielding--; g.yielding > 0 || g.gone == 0 {
		return
	}
	g.members = slices.DeleteFunc(g.members, func(c *Conn) bool { return c == nil })
	g.gone = 0
	for i, c := range g.members {
		g.place(c, i)
	}
}

// Send sends m to all members but those in except, and returns to how many.
// What several calls send in one turn leaves together. A member is left out
// when it is closing, has begun a message with SendPart, or by OnSlow. An
// error, ErrInvalidText, says that m cannot be sent to anybody.
func (g *Group) Send(m Message, except ...*Conn) (sent int, err error) {
	if err := m.check(); err != nil {
		return 0, err
	}
	var shared broadcast
	maxUnsent := int(limit(int64(g.MaxUnsent), 1<<20, 1<<31-1))
	g.yielding++ // OnSlow may change who is a member
	defer g.yielded()
	for i := range len(g.members) {
		c := g.members[i]
		switch {
		case c == nil || c.sendable() != nil || excluded(c, except):
		case c.jc.Buffered() > maxUnsent && g.leavesOut(c):
		case shared.send(c, m) == nil:
			sent++
		}
	}
	return sent, nil
}

func excluded(c *Conn, except []*Conn) bool {
	for _, x := range except {
		if x == c {
			return true
		}
	}
	return false
}

// leavesOut applies the policy to a slow member and reports whether it is left
// out.
func (g *Group) leavesOut(c *Conn) bool {
	policy := CloseMember
	if g.OnSlow != nil {
		policy = g.OnSlow(c)
	}
	if policy == CloseMember {
		c.Close(CloseTryAgain, "too slow")
	}
	return policy != SendAnyway
}
