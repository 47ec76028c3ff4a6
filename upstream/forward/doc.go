// Package forward is what an intermediary does to the fields of a message that
// it passes on: hop-by-hop fields end here (RFC 9110 §7.6.1), Via, CDN-Loop and
// the Forwarded family are extended or replaced, and request fields that can
// change a response without being part of its key are dropped.
//
// The order matters. What the client lists in Connection is removed before
// anything of ours is added, so that "Connection: X-Forwarded-For" cannot take
// away what the upstream relies on:
//
//	Looped → UpgradeType → StripRequest → DropUnkeyed → Extend, AddVia, AddLoop
//
// On the way to a third party ThirdPartyRequest stands for DropUnkeyed and
// Extend: it is told nothing of who asks.
//
// All functions change the map that they are given and nothing else; they are
// safe for concurrent use on different maps. Field names are taken to be in
// canonical form, as net/http makes them.
package forward
