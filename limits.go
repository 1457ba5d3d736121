package jay

import "maps"

// limits are those of the server and of its endpoints, for status. Those of a
// further endpoint that differ from the first one's are named with its address.
func (s *Server) limits() map[string]float64 {
	all := map[string]float64{
		"max_conns":          float64(s.maxConns()),
		"max_buffered_bytes": float64(s.maxBuffered()),
	}
	endpoints := s.endpoints()
	if len(endpoints) == 0 {
		endpoints = []Endpoint{s.complete(Endpoint{})}
	}
	first := endpoints[0].limits()
	maps.Copy(all, first)
	for _, e := range endpoints[1:] {
		for name, value := range e.limits() {
			if first[name] != value {
				all[e.Addr+" "+name] = value
			}
		}
	}
	maps.DeleteFunc(all, func(_ string, value float64) bool { return !isLimit(value) })
	return all
}

// limits are those of an endpoint's connections. Where its protocol has one of
// the same name that is in force.
func (e *Endpoint) limits() map[string]float64 {
	l := e.Conn.or(connDefaults)
	all := map[string]float64{
		"max_input_bytes":      float64(limit(l.MaxInput)),
		"max_output_bytes":     float64(limit(l.MaxOutput)),
		"first_byte_timeout_s": l.FirstByteTimeout.Seconds(),
		"idle_timeout_s":       l.IdleTimeout.Seconds(),
		"read_idle_timeout_s":  l.ReadIdleTimeout.Seconds(),
		"lifetime_s":           l.Lifetime.Seconds(),
		"write_timeout_s":      l.WriteTimeout.Seconds(),
		"close_timeout_s":      l.CloseTimeout.Seconds(),
	}
	if p, ok := e.Protocol.(Limited); ok {
		for name, value := range p.Limits() {
			if isLimit(value) {
				all[name] = value
			}
		}
	}
	return all
}

// isLimit reports whether a value of Limits is one. All that are can be read
// exactly by whoever reads JSON.
func isLimit(value float64) bool { return value > 0 && value < 1<<53 }
