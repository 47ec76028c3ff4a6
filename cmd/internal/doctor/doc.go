// Package doctor asks a server what a browser would ask it, and says what is
// wrong with its CORS and its caches. The server need not be Veneer, and
// nothing but its answers is looked at.
//
// A run is a plan of named requests (probe), the record of what came
// (Exchange), and a list of questions (check), each a function of the record
// alone. The order of the requests is what a list of curl lines misses: a
// cache hands out what somebody else put in, so the second origin, the request
// without Origin and the stranger come first in turn, each on a URL that no
// cache has seen.
//
// It is polite: one request after the other, about 25, GET, HEAD, OPTIONS and
// one QUERY, which is safe too. What --method names is only ever
// asked for in a preflight. It waits for a short Retry-After. One request may
// leave the server: where the URL redirects to another site, that is asked as
// a browser would, with Origin: null. It sends no credentials, and keeps and
// prints nothing of the content.
//
// What rests on a 429, a failure or silence is undecided, and a report with
// undecided checks is not good: nothing is known is not all is well.
package doctor
