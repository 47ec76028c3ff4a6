package cache

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"

	"veneer/cache/cachestatus"
	"veneer/cache/key"
	"veneer/cache/rfc9111"
)

// forward goes to the upstream for this client alone: methods and requests
// outside the cache, and answers that are known not to be shareable. Request
// and response stream; nothing waits for the whole of either.
func (x *exchange) forward() {
	if x.directives.OnlyIfCached && safe(x.r.Method) {
		x.fail(http.StatusGatewayTimeout, cachestatus.OnlyIfCached, "Nothing stored can answer, and the request says only-if-cached.")
		return
	}
	if x.refuseRanges() {
		return
	}
	if x.route.Store != nil {
		x.epoch = x.route.Store.Epoch(x.uriKey())
	}
	informer := &informer{x: x}
	req := x.outgoing(informer.watch(x.r.Context()))
	if x.origin.Full && safe(x.r.Method) {
		// A 304 would let the browser go on using what it may not read.
		delete(req.Header, "If-None-Match")
		delete(req.Header, "If-Modified-Since")
		if x.revalidatesParts() {
			delete(req.Header, "If-Range")
			delete(req.Header, "Range")
		}
	}
	x.asked = true
	res, err := x.span.roundTrip(x.route, req)
	informer.stop()
	if err != nil {
		x.upstreamFailed(err)
		return
	}
	x.decision.Upstream = res.StatusCode
	reason := receive(x.route, res, x.origin, safe(x.r.Method) && !x.req.upgrades())
	x.unstored(reason)
	if res.StatusCode == http.StatusSwitchingProtocols {
		x.deliverUpgrade(res)
		return
	}
	defer res.Body.Close()
	if rfc9111.ErrorStatus(res.StatusCode) && x.deliverStale() {
		return
	}
	x.learn(res, reason)
	if !x.bypass {
		x.decision.Result = ResultMiss
	}
	if !x.storePosted(res, reason) {
		x.deliverResponse(res)
	}
	x.fetchWhole(res)
}

// uriKey is the key of the target URI: the beginning of the primary key where
// there is one, and else of the same buffer.
func (x *exchange) uriKey() []byte {
	if len(x.key.Bytes) == 0 {
		x.keyBuf = key.URIKey(x.keyBuf, x.target)
		return x.keyBuf
	}
	return x.key.URI()
}

// learn takes from a response that is not stored what it says of stored ones:
// what an unsafe method has changed (RFC 9111 §4.4), what a HEAD tells of a
// stored GET (§4.3.5), and whether a key that was not shareable has become so.
func (x *exchange) learn(res *http.Response, reason cachestatus.Reason) {
	switch {
	case x.route.Store == nil:
	case rfc9111.Invalidates(x.r.Method, res.StatusCode):
		x.raced = x.route.Store.Epoch(x.uriKey()).URI != x.epoch.URI
		x.invalidate(res)
	case x.bypass:
	case reason != cachestatus.None:
	case x.r.Method == http.MethodHead:
		x.learnFromHead(res)
	case x.marked && res.ContentLength <= x.route.MaxObject && len(res.Trailer) == 0 && !x.plainlyUnstorable(res.Header):
		// Content of unknown length may have been what outgrew the limit: such
		// a mark runs out by itself.
		if _, why := x.assess(res, res.StatusCode); why == cachestatus.None && res.ContentLength >= 0 {
			x.e.marks.Clear(x.flightBuf)
			x.decision.NotStored = cachestatus.HitForMiss // only the mark kept it out
		}
	}
}

// plainlyUnstorable reports whether a marked key's response says no-store, as it
// most likely has before, with no field of ours that could say otherwise (RFC
// 9213 §2.2). It spares the parsing; where it errs the mark runs out by itself.
func (x *exchange) plainlyUnstorable(h http.Header) bool {
	for _, name := range x.route.Policy.Targets {
		if h[name] != nil {
			return false
		}
	}
	lines := h["Cache-Control"]
	return len(lines) == 1 && strings.Contains(lines[0], "no-store") && !strings.Contains(lines[0], "must-understand")
}

// invalidate removes what the response to an unsafe method made invalid: the
// target URI and same-origin Location and Content-Location, with all their
// variants and origins. A third party shares the origin with other routes only
// because they are served here: it has no say about those.
func (x *exchange) invalidate(res *http.Response) {
	x.invalidateURI(x.route.Store, x.target)
	for _, u := range rfc9111.InvalidatedURIs(x.target.URL(), res.Header) {
		plain := key.Query{}
		path := key.EscapedPath(u)
		t, err := plain.Canonical(u.Scheme, u.Host, path, u.RawQuery)
		if err != nil {
			continue
		}
		route, ok := x.plan.Router.Lookup(t.Host, t.Path)
		if !ok || route.Store == nil || x.route.ThirdParty && route != x.route {
			continue
		}
		if t, err = route.Key.Query.Canonical(u.Scheme, u.Host, path, u.RawQuery); err == nil {
			x.invalidateURI(route.Store, t)
		}
	}
}

func (x *exchange) invalidateURI(s Store, t key.Target) {
	if _, err := s.Invalidate(context.WithoutCancel(x.r.Context()), key.URIKey(nil, t)); err != nil {
		x.e.log(x.r.Context(), "cache: store cannot invalidate", err)
	}
}

// learnFromHead freshens or removes the stored GET response (RFC 9111 §4.3.5).
func (x *exchange) learnFromHead(res *http.Response) {
	o, ctx := x.object, context.WithoutCancel(x.r.Context())
	if o == nil || res.StatusCode != http.StatusOK {
		return
	}
	if !rfc9111.HeadFreshens(o.Header(), res.Header, int64(len(o.body))) || !sameVary(res, o) {
		_ = x.route.Store.Delete(ctx, o)
		return
	}
	if _, purged := o.PurgedAt(); purged {
		return // a HEAD need not have a validator: it does not confirm enough
	}
	fields, meta, why := rfc9111.Refresh(o.Header(), o.Status, &rfc9111.Response{
		Method: http.MethodGet, Request: &x.seen, Status: res.StatusCode, Header: res.Header,
		RequestTime: x.now, ResponseTime: x.e.now(),
	}, &x.route.Policy)
	switch {
	case why == cachestatus.None:
		_ = x.route.Store.Put(ctx, o.Freshened(fields, meta), PutOptions{Variants: x.route.Variants, Epoch: x.epoch})
	case !ofRequest(why):
		_ = x.route.Store.Delete(ctx, o)
	}
}

// deliverStale answers with the stored response because the upstream failed,
// if that is allowed (RFC 5861 §4).
func (x *exchange) deliverStale() bool {
	if !standsIn(x.object, x.directives, x.now) {
		return false
	}
	x.decision.Result = ResultStale
	x.decision.Reason = cachestatus.StaleServed
	x.deliverStored(x.object)
	return true
}

// upstreamFailed answers for an upstream from which no response came: with the
// stored response if it may be used stale, else 502, 503, 504 or 508.
func (x *exchange) upstreamFailed(err error) {
	var tooLarge *http.MaxBytesError
	var known upstreamError
	switch {
	case x.r.Context().Err() != nil:
		x.clientGone()
	case errors.As(err, &tooLarge):
		x.tooLarge()
	case x.deliverStale():
	case errors.As(err, &known) && known.HTTPStatus() == http.StatusRequestTimeout:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			x.closing(http.StatusBadRequest, cachestatus.BadRequest, "The request content is malformed or ended early.")
			return
		}
		x.closing(http.StatusRequestTimeout, cachestatus.RequestTimeout, "The request content did not arrive in time.")
	case known != nil:
		reason, ok := cachestatus.ParseReason(known.Token())
		if !ok {
			reason = cachestatus.UpstreamUnreachable
		}
		x.fail(known.HTTPStatus(), reason, "The upstream gave no usable answer: "+reason.Sentence()+".")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		x.fail(http.StatusGatewayTimeout, cachestatus.UpstreamTimeout, "The upstream did not answer in time.")
	default:
		x.fail(http.StatusBadGateway, cachestatus.UpstreamUnreachable, "The upstream cannot be reached or does not speak HTTP.")
	}
}
