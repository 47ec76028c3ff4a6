// Package openloop sends requests when they are due, however the server is
// doing, as clients do that know nothing of each other. A closed loop, which
// sends the next request when the last one is answered, sends little while the
// server stalls, and so hardly notices (coordinated omission). Here each
// latency is measured from the time at which the request was due. A request
// that had to wait for its turn, since all workers were still waiting for the
// server, has waited for the server.
package openloop
