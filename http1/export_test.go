package http1

import "reflect"

// TestCase and LoadCases give the tests of the protocol the cases that the
// tests of the parsers use.
type TestCase = testCase

var LoadCases = loadCases

// Bytes returns what to send.
func (c *testCase) Bytes() []byte { return c.bytes() }

// Variant reports whether c is one of our own cases.
func (c *testCase) Variant() bool { return c.variant }

// ServerConnSize is the size of a connection's state.
var ServerConnSize = reflect.TypeFor[serverConn]().Size()
