package cache

import (
	"context"
	"net/http"

	"veneer/cache/cachestatus"
	"veneer/cache/key"
	"veneer/cache/rfc9111"
	"veneer/cache/tag"
)

// postedMax bounds the content of a POST's response that is stored, in bytes:
// it is kept beside the fetches that have a budget.
const postedMax = 1 << 20

// storePosted stores the response to a POST for later GETs where it says that
// it is the current representation of the target URI: explicit freshness and a
// Content-Location equal to the target (RFC 9110 §9.3.3). The client gets it
// while it is read. It reports false when the response is an ordinary one.
func (x *exchange) storePosted(res *http.Response, reason cachestatus.Reason) bool {
	r := x.r
	location := res.Header.Get("Content-Location")
	limit := min(postedMax, x.route.MaxObject)
	switch {
	case r.Method != http.MethodPost, x.route.Store == nil, reason != cachestatus.None, x.directives.NoStore,
		location == "", res.StatusCode != http.StatusOK, res.ContentLength > limit, len(res.Trailer) > 0,
		r.Header["Authorization"] != nil:
		return false
	case x.raced: // something newer has been
		return false
	case r.Header["Origin"] != nil:
		// The upstream saw it, and the key of a GET may not hold it.
		return false
	}
	u, err := x.target.URL().Parse(location)
	if err != nil || u.String() != x.target.URL().String() {
		return false
	}
	response := &rfc9111.Response{
		Method: r.Method, Request: &x.seen, Status: res.StatusCode, Header: res.Header,
		RequestTime: x.now, ResponseTime: x.e.now(),
	}
	meta, why := rfc9111.Assess(response, &x.route.Policy)
	names, star := key.Names(res.Header["Vary"])
	if why != cachestatus.None || star || x.span.told(names) {
		return false
	}
	k := x.route.Key.Append(nil, http.MethodGet, x.target, x.origin.Bucket, &x.seen)
	// The epoch of now, as the response has invalidated its own target URI; what
	// other purges came in between is to be asked since the request was sent.
	epoch := Epoch{URI: x.route.Store.Epoch(k.URI()).URI, Log: x.epoch.Log}
	tags := tag.Parse(res.Header)
	keep := &keeper{limit: limit}
	res.Body = teeBody{res.Body, keep}
	x.deliverResponse(res)
	if x.abort || keep.over || x.decision.Left {
		return true
	}
	o := NewObject(ObjectSpec{
		Key: k, Selecting: key.Select(names, &x.seen), Status: res.StatusCode, Meta: meta,
		Header: rfc9111.StoredFields(response, &x.route.Policy), Tags: tags, Body: keep.chunks,
	})
	if err := x.route.Store.Put(context.WithoutCancel(r.Context()), o, PutOptions{Variants: x.route.Variants, Epoch: epoch}); err == nil {
		x.decision.Stored, x.decision.NotStored = true, cachestatus.None
	}
	return true
}

// keeper keeps a copy of what passes, up to limit bytes.
type keeper struct {
	chunks [][]byte
	size   int64
	limit  int64
	over   bool
}

func (k *keeper) keep(p []byte) {
	if k.size += int64(len(p)); k.size > k.limit {
		k.over, k.chunks = true, nil
	}
	if !k.over && len(p) > 0 {
		k.chunks = append(k.chunks, append([]byte(nil), p...))
	}
}

// teeBody shows a keeper what is read.
type teeBody struct {
	inner interface {
		Read([]byte) (int, error)
		Close() error
	}
	keeper *keeper
}

func (t teeBody) Read(p []byte) (int, error) {
	n, err := t.inner.Read(p)
	t.keeper.keep(p[:n])
	return n, err
}

func (t teeBody) Close() error { return t.inner.Close() }
