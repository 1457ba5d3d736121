package supervise

import "fmt"

// rehearse finds, in the process that describes a new file, what would keep its
// master from continuing from a state. What only a master may do cannot be
// tried; that has wayBack.
func rehearse(c *config, s savedMaster) error {
	if c.user != "" || c.group != "" {
		if _, err := lookUp(c.user, c.group); err != nil {
			return err
		}
	}
	st := &s.State
	if s.Fresh {
		return nil
	}
	if st.Change == nil {
		return fmt.Errorf("state: no upgrade is in progress in it")
	}
	procs := map[uint32]bool{}
	for _, p := range s.Procs {
		procs[p.Worker] = true
		if st.worker(p.Worker) == nil {
			return fmt.Errorf("state: worker %d is not in it", p.Worker)
		}
	}
	for _, w := range st.Workers {
		if !procs[w.ID] {
			return fmt.Errorf("state: worker %d has no process", w.ID)
		}
		if err := st.has(w.Build, w.Sockets); err != nil {
			return fmt.Errorf("state: worker %d: %w", w.ID, err)
		}
	}
	for _, p := range st.Programs {
		for i, sl := range p.Slots {
			if err := st.has(p.Build, sl.Sockets); err != nil {
				return fmt.Errorf("state: slot %s/%d: %w", p.Spec.Name, i, err)
			}
			for _, id := range []uint32{sl.Worker, sl.Heir} {
				if id != 0 && st.worker(id) == nil {
					return fmt.Errorf("state: slot %s/%d: worker %d is not in it", p.Spec.Name, i, id)
				}
			}
		}
	}
	return nil
}

// has looks for a build and for sockets.
func (s *state) has(build int, sockets []int) error {
	if s.build(build) == nil {
		return fmt.Errorf("build %d is not in it", build)
	}
	for _, id := range sockets {
		if s.socket(id) == nil {
			return fmt.Errorf("socket %d is not in it", id)
		}
	}
	return nil
}
