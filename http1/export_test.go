package http1

// TestCase and LoadCases give the tests of the protocol the cases that the
// tests of the parsers use.
type TestCase = testCase

var LoadCases = loadCases

// Bytes returns what to send.
func (c *testCase) Bytes() []byte { return c.bytes() }
