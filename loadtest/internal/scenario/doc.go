// Package scenario has the situations in which the proxy is put under load, and
// what must hold in each: its promises. A scenario has its own proxy and its own
// upstream, sends its requests when they are due (package openloop), looks at
// every answer, and says which promises were kept. It sees the proxy through
// the network and the small interface Proxy only.
package scenario
