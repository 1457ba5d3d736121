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
	if s.Fresh {
		return nil
	}
	procs := map[uint32]bool{}
	for _, p := range s.Procs {
		procs[p.Worker] = true
		if s.State.Worker(p.Worker) == nil {
			return fmt.Errorf("state: worker %d is not in it", p.Worker)
		}
	}
	for _, w := range s.State.Workers {
		if !procs[w.ID] {
			return fmt.Errorf("state: worker %d has no process", w.ID)
		}
	}
	if err := s.State.CheckUpgrade(); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	return nil
}
