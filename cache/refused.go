package cache

import (
	"net/http"

	"veneer/cache/cachestatus"
)

// Refuse answers a request that the server in front of the Engine does not let
// through (its head is too large, its target is not one of this server's) or
// whose handler has panicked. The answer is an error like any other of ours,
// with the CORS fields of the request's route, so that the page that sent it
// can read what went wrong (Fetch, CORS check); without a route there is no
// policy and there are no CORS fields. The connection ends over HTTP/1.1.
// Nothing may have been sent to w. The request is recorded.
func (e *Engine) Refuse(w http.ResponseWriter, r *http.Request, status int, reason cachestatus.Reason, detail string) {
	x := e.exchanges.Get().(*exchange)
	x.begin(e, w, r)
	if r.ProtoMajor == 1 {
		w.Header()["Connection"] = []string{"close"}
	}
	x.decision.Forward = cachestatus.NotForwarded
	if !x.routeStep() {
		x.fail(status, reason, detail)
	}
	x.record()
	x.end()
	e.exchanges.Put(x)
}
