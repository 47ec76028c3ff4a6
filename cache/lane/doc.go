// Package lane is the hit lane: a second reader and writer of HTTP/1.1 that
// answers fresh stored responses at the price of a read and a write, in front
// of net/http, which stays the only general server.
//
// Between two requests net/http calls Read for the next head. Conn.Read reads
// it into the very buffer that it was given, and looks: a head of the narrow
// grammar of this package, for which the engine has a fresh stored response? Then
// it writes the answer to the socket and goes on reading. Everything else, and
// every doubt, it hands to net/http unchanged, and it follows the framing of
// what it handed on, so that it knows when the next request begins. Where it
// cannot know that (a transfer coding, an upgrade, a head that it does not
// understand to the last byte) it stands aside for the rest of the connection.
//
// So the lane decides nothing but "this is a fresh hit", and the engine decides
// that (cache.Engine.Find: the same steps as for a handler). It stores nothing
// and sees no content. That for any bytes a lane and net/http give the same
// answers is what the differential tests hold it to.
package lane
