package jay

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jay-go/jay/internal/addr"
	"github.com/jay-go/jay/internal/loop"
)

// check says what is wrong with the server where it would listen on these
// addresses: what would start and then serve nobody, or not as it was asked.
func (s *Server) check(listen []string) error {
	for i, text := range listen {
		if _, err := streamAddr("listen", text); err != nil {
			return err
		}
		e := s.endpointAt(i, text)
		if err := e.check(); err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
	}
	switch _, err := loop.Resolve(s.Loop); {
	case err != nil:
		return fmt.Errorf("field Loop: %w", err)
	case len(listen) == 0 && s.OnWorkerStart == nil:
		return errors.New("it has no address, and no OnWorkerStart that could listen or dial; set Addr to tcp://127.0.0.1:8080, say")
	}
	return errors.Join(s.checkLoops(), s.Conn.check("Conn"))
}

// streamAddr parses an address that connections are accepted on or dialled to.
func streamAddr(verb, text string) (addr.Addr, error) {
	a, err := addr.Parse(text)
	switch {
	case err != nil:
		return a, err
	case a.Scheme == addr.UDP:
		return a, fmt.Errorf("%s %s: a jay.Server has connections, not datagrams; write tcp://%s, or take the socket of a supervise.Program", verb, text, a.HostPort())
	case a.Scheme == addr.TLS:
		return a, fmt.Errorf("%s %s: there is no TLS here, and plain text is not what was asked for; write tcp://%s and leave TLS to a proxy", verb, text, a.HostPort())
	}
	return a, nil
}

// resolveLoop is what --loop means: it wins; without it, or with auto, each
// server has its own Loop, and the name is a list where they differ.
func (o *Options) resolveLoop(requested string) (string, error) {
	if requested != "" && requested != "auto" {
		return loop.Resolve(requested)
	}
	var names []string
	for _, s := range o.Servers {
		name, err := loop.Resolve(s.Loop)
		if err == nil && !slices.Contains(names, name) { // Server.check tells of the error
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return loop.Resolve("")
	}
	return strings.Join(names, ", "), nil
}

// backend returns the backend of a worker, whose master has resolved --loop.
func (s *Server) backend(resolved string) string {
	if strings.Contains(resolved, ", ") {
		return s.Loop
	}
	return resolved
}
