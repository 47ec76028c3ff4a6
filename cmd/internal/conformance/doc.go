// Package conformance is a gate: it puts the built program in front of the
// public suite http-cache-tests and holds the outcome against a list that is
// committed beside it, expected.txt. It has tests only, and nothing imports it.
//
//	go test ./cmd/internal/conformance -run Suite -v
//
// The gate works in both directions. A test that fails and is not on the list
// fails the gate, and so does a test that is on the list and passes, so that
// the list always says what the program cannot do. A test whose dependency
// does not pass does not count as passed either: a cache that stores nothing
// would pass every test of what must not be stored.
//
// The suite knows three kinds of test. What RFC 9111 requires and what it
// allows for the sake of efficiency ("optimal" there, optional here) are both
// gated; a check only records which of two allowed things a cache does, and is
// counted but not gated.
//
// The suite sends no Origin, so its route has no CORS policy: with one, Vary
// names Origin on every response, which is right for CORS and fails tests that
// compare Vary. Keys by origin are tested where the policy is.
//
// It needs node and npm, and a way to fetch the suite; without them the test
// is skipped, or fails where CI=true says that nothing may be left out. Set
// VENEER_HTTP_CACHE_TESTS to a folder that holds the suite (the package, or
// the folder it was installed under) to do without the network.
package conformance
