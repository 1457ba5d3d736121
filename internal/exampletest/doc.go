// Package exampletest starts an example as its users do: as a process with
// master and workers, on a free port, in a run directory of its own.
//
//	func TestMain(m *testing.M) { exampletest.Main(m, main) }
//
//	func TestGreeting(t *testing.T) {
//		s := exampletest.Start(t)
//		p := s.Dial()
//		…
//	}
package exampletest
