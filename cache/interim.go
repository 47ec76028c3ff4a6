package cache

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
)

// interim is a 1xx response of the upstream (RFC 9110 §15.2).
type interim struct {
	code   int
	fields http.Header
}

// interims is how many interim responses may wait for the client; more are
// dropped, as they may be (RFC 9110 §15.2).
const interims = 4

// deliverInterim passes an interim response on to a client that knows them:
// stripped of another authority's CORS fields as any response, and of what is
// the connection's.
func (x *exchange) deliverInterim(i interim) {
	if !x.r.ProtoAtLeast(1, 1) {
		return
	}
	fields := i.fields
	x.route.CORS.Strip(fields, safe(x.r.Method))
	for _, line := range fields["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			delete(fields, http.CanonicalHeaderKey(strings.TrimSpace(name)))
		}
	}
	h := x.w.Header()
	var sent []string
	for name, lines := range fields {
		if hopByHop(name) {
			continue
		}
		h[name] = lines
		sent = append(sent, name)
	}
	x.w.WriteHeader(i.code)
	for _, name := range sent {
		delete(h, name)
	}
}

// hopByHop reports whether a field of an interim response stays behind: those
// of the connection (RFC 9110 §7.6.1), and names of our own.
func hopByHop(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Content-Length":
		return true
	}
	return strings.HasPrefix(name, "Proxy-") || strings.HasPrefix(name, "Veneer-")
}

// informer passes interim responses on while the client's own goroutine waits
// in RoundTrip. It must be stopped before anything else writes to the client,
// and is no part of the exchange: the transport may call it later still.
type informer struct {
	mu    sync.Mutex // guards done and, until done, the exchange
	done  bool
	x     *exchange
	trace httptrace.ClientTrace
}

// watch returns a context whose interim responses reach i.
func (i *informer) watch(ctx context.Context) context.Context {
	i.trace.Got1xxResponse = func(code int, h textproto.MIMEHeader) error {
		if relayed(code) {
			i.inform(code, http.Header(h))
		}
		return nil
	}
	return httptrace.WithClientTrace(ctx, &i.trace)
}

// relayed reports whether an interim response is for the client: 100 is the
// answer to an expectation, which is between two neighbours (RFC 9110 §10.1.1),
// and 101 no interim response of this exchange.
func relayed(code int) bool {
	return code != http.StatusContinue && code != http.StatusSwitchingProtocols
}

func (i *informer) inform(code int, fields http.Header) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.done { // the exchange may be another request's by now, or nobody's
		return
	}
	if i.x.r.ProtoMajor == 1 && i.x.r.Header["Expect"] != nil {
		// The transport may be reading the content, for which net/http writes
		// 100 (Continue) to the same connection.
		return
	}
	i.x.deliverInterim(interim{code, fields.Clone()})
}

func (i *informer) stop() {
	i.mu.Lock()
	i.done = true
	i.mu.Unlock()
}
