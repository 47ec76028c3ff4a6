// Package rfc9111 decides what a shared HTTP cache may do: what is stored and
// for how long (RFC 9111 §3, §4.2), when a stored response may be used (§4),
// how it is validated and freshened (§3.2, §4.3), and what a write invalidates
// (§4.4); with them the parts of RFC 9110 that a cache evaluates for a client,
// preconditions (§13) and ranges (§14), and the extensions of RFC 5861 (stale),
// RFC 8246 (immutable) and RFC 9213 (targeted fields).
//
// It is pure: no I/O, no clock of its own, no state. Every function is safe for
// concurrent use and keeps nothing that it is given. Field maps have canonical
// names.
//
// One rule settles every doubt about a response: what cannot be read makes it
// stale or not stored, never fresher. Everything is linear in the size of what
// it reads, and what it reads is bounded.
package rfc9111
