// Package upstream is the far side of the proxy: a Pool of servers that answer
// alike, as an http.RoundTripper. It picks a server, keeps connections, makes
// the attempts that RFC 9110 §9.2.2 allows, remembers which servers fail, and
// does to the fields what an intermediary has to do (package forward). It never
// takes the address of a server from a request.
//
// A response that comes out of a Pool is whole or says that it is not: its
// length is checked, its framing fields are gone, and content that ends early
// ends with an error instead of io.EOF.
//
// The servers may be a third party's (External): then less is sent to them,
// their responses cannot act on the proxy's host, and they have to be on public
// addresses.
package upstream
