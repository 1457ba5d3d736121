package jay

// limits are those of the server and of its handler, for status. Where both
// have one of a name the handler's is in force.
func (s *Server) limits() map[string]float64 {
	all := map[string]float64{
		"max_conns":            float64(s.maxConns()),
		"max_input_bytes":      float64(s.maxInput()),
		"max_output_bytes":     float64(s.maxOutput()),
		"max_buffered_bytes":   float64(s.maxBuffered()),
		"first_byte_timeout_s": s.firstByteTimeout().Seconds(),
		"idle_timeout_s":       s.idleTimeout().Seconds(),
		"read_idle_timeout_s":  s.readIdleTimeout().Seconds(),
		"lifetime_s":           s.lifetime().Seconds(),
		"write_timeout_s":      s.writeTimeout().Seconds(),
		"close_timeout_s":      s.closeTimeout().Seconds(),
	}
	if h, ok := s.Handler.(Limited); ok {
		for name, value := range h.Limits() {
			if isLimit(value) {
				all[name] = value
			}
		}
	}
	for name, value := range all {
		if !isLimit(value) {
			delete(all, name)
		}
	}
	return all
}

// isLimit reports whether a value of Limits is one. All that are can be read
// exactly by whoever reads JSON.
func isLimit(value float64) bool { return value > 0 && value < 1<<53 }
