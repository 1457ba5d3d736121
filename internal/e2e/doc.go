// Package e2e uses the built programs as a user uses them: it starts the
// binaries, talks to them over sockets and through a browser, kills what may
// die, and reads what they print. All of it is in the tests.
package e2e
