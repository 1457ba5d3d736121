package loop

// slots is the table of registrations. A slot's generation changes with its
// owner, so a completion that names slot and generation cannot reach a later
// owner. The zero value is ready to use.
type slots struct {
	rows []slot
	free []uint32
	live int
}

type slot struct {
	owner any
	gen   uint32
}

func (t *slots) add(owner any) (index, gen uint32) {
	t.live++
	if k := len(t.free); k > 0 {
		index = t.free[k-1]
		t.free = t.free[:k-1]
	} else {
		index = uint32(len(t.rows))
		t.rows = append(t.rows, slot{gen: 1})
	}
	t.rows[index].owner = owner
	return index, t.rows[index].gen
}

func (t *slots) remove(index uint32) {
	t.rows[index].owner = nil
	t.rows[index].gen++
	t.free = append(t.free, index)
	t.live--
}

// get returns the owner, or nil when the slot has changed hands.
func (t *slots) get(index, gen uint32) any {
	if index >= uint32(len(t.rows)) || t.rows[index].gen != gen {
		return nil
	}
	return t.rows[index].owner
}
