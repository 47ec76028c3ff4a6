package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"veneer/cache"
	"veneer/cache/key"
	"veneer/cache/tag"
	"veneer/cmd/internal/admin"
	"veneer/cmd/internal/telemetry"
)

// purgeOrder is the body of POST /api/purge.
type purgeOrder struct {
	kind cache.PurgeKind
	url  *url.URL // of a URL, or of a prefix
	tag  string
	hard bool
}

// maxPurgeURL bounds a URL or a prefix, in bytes. It is more than a request's
// head may have by default.
const maxPurgeURL = 32 << 10

// badPurge is why a body is no order: what is wrong, why, and what to do.
func badPurge(format string, args ...any) error { return fmt.Errorf("cannot purge: "+format, args...) }

// parsePurge reads an order. Its errors hide what may be a credential: nothing
// of a query is in them.
func parsePurge(body []byte) (*purgeOrder, error) {
	var b struct {
		URL, Prefix, Tag *string
		All, Hard        bool
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&b); err != nil {
		return nil, badPurge(`the body is no such order: %w; send {"url":U}, {"prefix":P}, {"tag":T} or {"all":true}, with "hard":true to remove`, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, badPurge("something follows the order; send one order in a request")
	}
	o, given := &purgeOrder{hard: b.Hard}, 0
	for kind, text := range [...]*string{cache.PurgeURL: b.URL, cache.PurgePrefix: b.Prefix, cache.PurgeTag: b.Tag} {
		if text == nil {
			continue
		}
		given++
		o.kind, o.tag = cache.PurgeKind(kind), *text
	}
	if b.All {
		given++
		o.kind = cache.PurgeAll
	}
	if given != 1 {
		return nil, badPurge("%d of url, prefix, tag and all are given; give exactly one of them", given)
	}
	return o, o.check()
}

// check reads o.tag as what o.kind says it is.
func (o *purgeOrder) check() (err error) {
	switch o.kind {
	case cache.PurgeTag:
		if !tag.Valid(o.tag) {
			return badPurge("%.100q is no tag: one has 1 to %d bytes, no control character, and no space at either end", o.tag, tag.MaxLength)
		}
		return nil
	case cache.PurgeAll:
		return nil
	}
	text := o.tag
	o.tag = ""
	o.url, err = purgeURL(o.kind.String(), text)
	return err
}

// purgeURL reads a URL, or the beginning of some.
func purgeURL(what, text string) (*url.URL, error) {
	if len(text) > maxPurgeURL {
		return nil, badPurge("the %s has %d bytes; %d are the most", what, len(text), maxPurgeURL)
	}
	shown, _, _ := strings.Cut(text, "?")
	u, err := url.Parse(text)
	var fault *url.Error
	switch {
	case errors.As(err, &fault):
		return nil, badPurge("the %s %.200q cannot be read: %w; write it as a client sends it, with whole escapes such as %%20", what, shown, fault.Err)
	case u.User != nil:
		return nil, badPurge("the %s has a user name, which no stored response is known by; leave it out", what)
	case !strings.EqualFold(u.Scheme, "http") && !strings.EqualFold(u.Scheme, "https"), u.Host == "", u.Opaque != "":
		return nil, badPurge("the %s %.200q has no scheme and host: what is stored is known by both; write it whole, such as https://www.example.com/news/", what, shown)
	case strings.Contains(text, "#"):
		return nil, badPurge("the %s %.200q has a fragment, which no client sends; leave \"#\" and what follows it out, or write %%23", what, shown)
	case strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c == 0x7f }):
		return nil, badPurge("the %s %.200q has a space or a control character; write it as a client sends it, with %%20", what, shown)
	}
	return u, nil
}

// newPrefix makes what target URIs begin with of the beginning of some.
func newPrefix(u *url.URL) (key.Prefix, error) {
	p, err := key.NewPrefix(u.Scheme, u.Host, key.EscapedPath(u), u.RawQuery, u.RawQuery != "" || u.ForceQuery)
	if err != nil {
		return p, badPurge("%w; write the prefix as a client sends it", err)
	}
	return p, nil
}

// prefixOf is newPrefix for text.
func prefixOf(text string) (key.Prefix, error) {
	u, err := purgeURL("prefix", text)
	if err != nil {
		return key.Prefix{}, err
	}
	return newPrefix(u)
}

// purges makes of an order what the store carries out. A URL is looked for as
// its route keys it, without the parameters that it ignores and sorted where it
// sorts, and as it was given: another route may have stored it before a reload.
func (o *purgeOrder) purges(routes cache.Router, now time.Time) ([]cache.Purge, error) {
	p := cache.Purge{Kind: o.kind, Tag: o.tag, Hard: o.hard, At: now}
	if o.url == nil {
		return []cache.Purge{p}, nil
	}
	u, path := o.url, key.EscapedPath(o.url)
	if o.kind == cache.PurgePrefix {
		var err error
		if p.Prefix, err = newPrefix(u); err != nil {
			return nil, err
		}
		return []cache.Purge{p}, nil
	}
	target, err := new(key.Query).Canonical(u.Scheme, u.Host, path, u.RawQuery)
	if err != nil {
		return nil, badPurge("%w; write the URL as a client sends it", err)
	}
	p.URI = string(key.URIKey(nil, target))
	all := []cache.Purge{p}
	if route, ok := routes.Lookup(target.Host, target.Path); ok {
		// It cannot fail: the same text was read above.
		target, _ = route.Key.Query.Canonical(u.Scheme, u.Host, path, u.RawQuery)
		if uri := string(key.URIKey(nil, target)); uri != p.URI {
			p.URI = uri
			all = append(all, p)
		}
	}
	return all, nil
}

// shown is what the log says of the order's object. Queries may hold secrets.
func (o *purgeOrder) shown() string {
	if o.url == nil {
		return o.tag
	}
	text := o.url.Scheme + "://" + o.url.Host + o.url.EscapedPath()
	if o.url.RawQuery != "" {
		text += "?(hidden)"
	}
	return text
}

// purgeCounts counts orders by kind.
type purgeCounts [cache.PurgeKinds]atomic.Int64

// register makes the counts visible for the life of the App, those at zero too:
// a rate needs a zero before the first one.
func (c *purgeCounts) register(t *telemetry.Telemetry) {
	t.Register(telemetry.Purges, func() []telemetry.Sample {
		samples := make([]telemetry.Sample, len(c))
		for kind := range c {
			samples[kind] = telemetry.Sample{Labels: [2]string{cache.PurgeKind(kind).String()}, Value: c[kind].Load()}
		}
		return samples
	})
}

// servePurge is POST /api/purge.
func (a *App) servePurge(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		admin.WriteProblem(w, r, http.StatusBadRequest, "bad-purge", "cannot purge: the body cannot be read: "+err.Error())
		return
	}
	o, err := parsePurge(body)
	var purges []cache.Purge
	if err == nil {
		a.mu.Lock()
		routes := a.plan.engine.Router
		a.mu.Unlock()
		purges, err = o.purges(routes, time.Now())
	}
	if err != nil {
		admin.WriteProblem(w, r, http.StatusBadRequest, "bad-purge", err.Error())
		return
	}
	touched := 0
	for i := range purges {
		n, err := a.store.Purge(r.Context(), &purges[i])
		if err != nil {
			admin.WriteProblem(w, r, http.StatusServiceUnavailable, "purge-failed", "cannot purge: "+err.Error()+"; some of it may have been carried out, so send it again")
			return
		}
		touched += n
	}
	a.purges[o.kind].Add(1)
	a.log.Info("purged", "kind", o.kind.String(), "of", o.shown(), "hard", o.hard, "touched", touched)
	text, _ := json.Marshal(struct { // a word, a bool and a number: it cannot fail
		Kind    string `json:"kind"`
		Hard    bool   `json:"hard"`
		Touched int    `json:"touched"`
	}{o.kind.String(), o.hard, touched})
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(text, '\n')) // the client may be gone
}
