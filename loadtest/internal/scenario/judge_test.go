package scenario

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"veneer/corslayer/origin"
	"veneer/loadtest/internal/faulty"
	"veneer/loadtest/internal/stamp"
)

// judged is a run that only judges, with an upstream whose book has a fault for
// one document.
func judged(t *testing.T) (*run, faulty.Doc) {
	t.Helper()
	upstream, err := faulty.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(upstream.Stop)
	d := faulty.Doc{Path: "/own/failing", Fault: faulty.Error500}
	res, err := http.Get("http://" + upstream.Address() + d.Target())
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return &run{upstream: upstream, book: newBook()}, d
}

// proper is the answer that a is due, made for the Origin saw.
func proper(a *ask, saw string) *answer {
	now := time.Now()
	s := stamp.Stamp{URL: a.target, Serial: 7, Origin: saw, Tag: `"t-1"`, Until: now.Add(time.Hour).Truncate(time.Microsecond)}
	h := http.Header{"Cache-Status": {"veneer; hit; ttl=3"}, "Etag": {s.Tag}, "Load-Serial": {"7"}}
	if m := mode(a.doc.Path); m == own || m == shared {
		h.Set("Vary", "accept-encoding, origin")
		if a.visitor.allowed {
			h["Access-Control-Allow-Origin"] = a.visitor.lines
			h.Set("Access-Control-Allow-Credentials", "true")
			h.Set("Access-Control-Expose-Headers", "ETag, Load-Serial")
		}
	}
	return &answer{status: http.StatusOK, header: h, body: s.Content(2000), sent: now, done: now, tries: 1}
}

func TestJudge(t *testing.T) {
	r, failing := judged(t)
	ownDoc := faulty.Doc{Path: "/own/d", Age: 2}
	refused := stranger(0)
	const acao = "Access-Control-Allow-Origin"
	for _, c := range []struct {
		name    string
		doc     faulty.Doc
		visitor visitor
		saw     string
		change  func(*ask, *answer)
		want    []kind
	}{
		{name: "own, allowed", doc: ownDoc, visitor: exact(appOrigin), saw: appOrigin},
		{name: "own, none", doc: ownDoc, visitor: nobody()},
		{name: "own, refused", doc: ownDoc, visitor: refused},
		{name: "shared, allowed", doc: faulty.Doc{Path: "/shared/d"}, visitor: tenant(4)},
		{name: "off", doc: faulty.Doc{Path: "/off/d", App: faulty.Echo}, visitor: exact(appOrigin)},
		{name: "pass, silent application", doc: faulty.Doc{Path: "/pass/d"}, visitor: refused, saw: refused.origin()},
		{name: "no Vary", doc: ownDoc, visitor: nobody(), change: func(_ *ask, g *answer) { g.header.Del("Vary") }, want: []kind{cors}},
		{name: "no ACAO", doc: ownDoc, visitor: exact(appOrigin), saw: appOrigin, change: func(_ *ask, g *answer) { g.header.Del(acao) }, want: []kind{cors}},
		{name: "another's ACAO", doc: ownDoc, visitor: exact(appOrigin), saw: appOrigin, change: func(_ *ask, g *answer) { g.header.Set(acao, adminOrigin) }, want: []kind{cors}},
		{name: "ACAO twice", doc: ownDoc, visitor: exact(appOrigin), saw: appOrigin, change: func(_ *ask, g *answer) { g.header.Add(acao, appOrigin) }, want: []kind{cors}},
		{name: "ACAO for a stranger", doc: ownDoc, visitor: refused, change: func(_ *ask, g *answer) { g.header.Set(acao, refused.origin()) }, want: []kind{cors}},
		{name: "no credentials", doc: ownDoc, visitor: exact(appOrigin), saw: appOrigin, change: func(_ *ask, g *answer) { g.header.Del("Access-Control-Allow-Credentials") }, want: []kind{cors}},
		{name: "credentials for a stranger", doc: ownDoc, visitor: refused, change: func(_ *ask, g *answer) { g.header.Set("Access-Control-Allow-Credentials", "true") }, want: []kind{cors}},
		{name: "no Expose", doc: ownDoc, visitor: exact(appOrigin), saw: appOrigin, change: func(_ *ask, g *answer) { g.header.Del("Access-Control-Expose-Headers") }, want: []kind{cors}},
		{name: "the application's Expose", doc: ownDoc, visitor: refused, change: func(_ *ask, g *answer) { g.header.Set("Access-Control-Expose-Headers", "X-Application") }, want: []kind{cors}},
		{name: "ACAO in the trailer", doc: ownDoc, visitor: nobody(), change: func(_ *ask, g *answer) { g.trailer = http.Header{acao: {"*"}} }, want: []kind{cors}},
		{name: "off has ACAO", doc: faulty.Doc{Path: "/off/d", App: faulty.Echo}, visitor: exact(appOrigin), change: func(_ *ask, g *answer) { g.header.Set(acao, appOrigin) }, want: []kind{cors}},
		{name: "pass, the application's is lost", doc: faulty.Doc{Path: "/pass/d", App: faulty.Echo}, visitor: refused, saw: refused.origin(), want: []kind{cors}},
		{name: "made for another", doc: ownDoc, visitor: exact(appOrigin), saw: adminOrigin, want: []kind{leaked}},
		{name: "a stranger's was forwarded", doc: ownDoc, visitor: refused, saw: refused.origin(), want: []kind{leaked}},
		{name: "shared saw one", doc: faulty.Doc{Path: "/shared/d"}, visitor: exact(appOrigin), saw: appOrigin, want: []kind{leaked}},
		{name: "cut", doc: ownDoc, visitor: nobody(), change: func(_ *ask, g *answer) { g.body = g.body[:1500] }, want: []kind{content}},
		{name: "changed", doc: ownDoc, visitor: nobody(), change: func(_ *ask, g *answer) { g.body[1000] ^= 1 }, want: []kind{content}},
		{name: "foreign", doc: ownDoc, visitor: nobody(), change: func(_ *ask, g *answer) { g.body = stamp.Stamp{URL: "/own/e"}.Content(900) }, want: []kind{foreign}},
		{name: "foreign fields", doc: ownDoc, visitor: nobody(), change: func(_ *ask, g *answer) { g.header.Set("Load-Serial", "8") }, want: []kind{foreign}},
		{name: "old", doc: ownDoc, visitor: nobody(), change: func(_ *ask, g *answer) { g.sent = g.sent.Add(time.Hour + 2*time.Second + grain + time.Millisecond) }, want: []kind{old}},
		{name: "just not old", doc: ownDoc, visitor: nobody(), change: func(_ *ask, g *answer) { g.sent = g.sent.Add(time.Hour + 2*time.Second + grain - time.Millisecond) }},
		{name: "sent twice", doc: ownDoc, visitor: nobody(), change: func(_ *ask, g *answer) { g.tries = 2 }, want: []kind{resent}},
		{name: "no Cache-Status", doc: ownDoc, visitor: nobody(), change: func(_ *ask, g *answer) { g.header.Del("Cache-Status") }, want: []kind{odd}},
		{name: "404", doc: ownDoc, visitor: nobody(), change: func(_ *ask, g *answer) { g.status = 404 }, want: []kind{odd}},
		{name: "a range of no request", doc: ownDoc, visitor: nobody(), change: func(_ *ask, g *answer) {
			g.status = 206
			g.header.Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", len(g.body)-1, len(g.body)))
		}, want: []kind{odd}},
		{name: "a 206 without Content-Range", doc: ownDoc, visitor: nobody(), change: func(a *ask, g *answer) { a.whole, g.status = true, 206 }, want: []kind{odd}},
		{name: "304", doc: ownDoc, visitor: exact(appOrigin), change: func(a *ask, g *answer) {
			a.tag, a.known.stamp.Until = `"t-1"`, g.sent
			g.status, g.body = 304, nil
		}},
		{name: "304 to a stranger", doc: ownDoc, visitor: refused, change: func(a *ask, g *answer) {
			a.tag, a.known.stamp.Until = `"t-1"`, g.sent
			g.status, g.body = 304, nil
		}, want: []kind{cors}},
		{name: "304 to what is old", doc: ownDoc, visitor: nobody(), change: func(a *ask, g *answer) {
			a.tag, a.known.stamp.Until = `"t-1"`, g.sent.Add(-time.Minute)
			g.status, g.body = 304, nil
		}, want: []kind{old}},
		{name: "304 to another tag", doc: ownDoc, visitor: nobody(), change: func(a *ask, g *answer) { a.tag, g.status, g.body = `"t-2"`, 304, nil }, want: []kind{odd}},
		{name: "HEAD", doc: ownDoc, visitor: nobody(), change: func(a *ask, g *answer) { a.method, g.body = http.MethodHead, nil }},
		{name: "HEAD without ETag", doc: ownDoc, visitor: nobody(), change: func(a *ask, g *answer) {
			a.method, g.body = http.MethodHead, nil
			g.header.Del("Etag")
		}, want: []kind{odd}},
		{name: "no answer", doc: ownDoc, visitor: nobody(), change: func(_ *ask, g *answer) { g.err = errors.New("reset") }, want: []kind{failed}},
		{name: "no answer, the upstream's doing", doc: failing, visitor: nobody(), change: func(_ *ask, g *answer) { g.err = errors.New("reset") }},
		{name: "502", doc: ownDoc, visitor: nobody(), change: func(_ *ask, g *answer) { g.status, g.body = 502, []byte("{}") }, want: []kind{failed}},
		{name: "500, the upstream's doing", doc: failing, visitor: nobody(), change: func(_ *ask, g *answer) { g.status = 500 }},
		{name: "502 that is no problem", doc: failing, visitor: nobody(), change: func(_ *ask, g *answer) { g.status, g.body = 502, []byte("<html>") }, want: []kind{odd}},
		{name: "502, a problem", doc: failing, visitor: nobody(), change: func(_ *ask, g *answer) {
			g.status, g.body = 502, []byte(`{"type": "urn:veneer:problem:x"}`)
			g.header.Set("Content-Type", "application/problem+json")
		}},
		{name: "a preflight", doc: ownDoc, visitor: exact(appOrigin), change: func(a *ask, g *answer) { a.method, g.status, g.body = http.MethodOptions, 204, nil }},
		{name: "a preflight refused", doc: ownDoc, visitor: refused, change: func(a *ask, g *answer) { a.method, g.status, g.body = http.MethodOptions, 403, nil }},
		{name: "a stranger's preflight granted", doc: ownDoc, visitor: refused, change: func(a *ask, g *answer) { a.method, g.status, g.body = http.MethodOptions, 204, nil }, want: []kind{odd}},
	} {
		a := get("read", c.doc, c.visitor)
		got := proper(&a, c.saw)
		if c.change != nil {
			c.change(&a, got)
		}
		found := r.judge(&a, got, tenancy{})
		if kindsOf := func() (k []kind) {
			for _, w := range found {
				k = append(k, w.kind)
			}
			return slices.Compact(k)
		}(); !slices.Equal(kindsOf, c.want) {
			t.Errorf("%s: %v, want %v", c.name, found, c.want)
		}
	}
}

// An origin that the policy names now and then is due what the policy says,
// and either of the two while it changes.
func TestJudgeWhileThePolicyChanges(t *testing.T) {
	r, _ := judged(t)
	a := get("read", faulty.Doc{Path: "/own/d"}, later())
	with := proper(&ask{doc: a.doc, target: a.target, visitor: exact(lateOrigin)}, lateOrigin)
	without := proper(&a, "")
	another := proper(&ask{doc: a.doc, target: a.target, visitor: exact(appOrigin)}, appOrigin)
	for _, c := range []struct {
		name                   string
		before, after          tenancy
		with, without, another bool // wrong
	}{
		{"in", tenancy{epoch: 2, allowed: true}, tenancy{epoch: 2, allowed: true}, false, true, true},
		{"out", tenancy{epoch: 4}, tenancy{epoch: 4}, true, false, true},
		{"changing", tenancy{epoch: 3, changing: true}, tenancy{epoch: 3, changing: true}, false, false, true},
		{"changed meanwhile", tenancy{epoch: 2, allowed: true}, tenancy{epoch: 4}, false, false, true},
	} {
		r.late = func() tenancy { return c.after }
		for got, bad := range map[*answer]bool{with: c.with, without: c.without, another: c.another} {
			if found := r.judge(&a, got, c.before); (len(found) > 0) != bad {
				t.Errorf("%s, ACAO %q: %v, wrong is %t", c.name, got.header["Access-Control-Allow-Origin"], found, bad)
			}
		}
		// In pass mode it is the application's to say, whatever the policy does.
		a := get("read", faulty.Doc{Path: "/pass/d", App: faulty.Star}, later())
		got := proper(&a, lateOrigin)
		got.header["Access-Control-Allow-Origin"] = []string{"*"}
		got.header.Set("Access-Control-Allow-Credentials", "true")
		if found := r.judge(&a, got, c.before); len(found) > 0 {
			t.Errorf("%s, pass mode: %v", c.name, found)
		}
	}
}

// What visitors are is known here from how they were made. The parser of the
// program says the same of them.
func TestVisitorsAreWhatTheySay(t *testing.T) {
	var patterns []origin.Pattern
	for _, text := range listed() {
		p, err := origin.ParsePattern(text)
		if err != nil {
			t.Fatal(err)
		}
		patterns = append(patterns, p)
	}
	set := origin.NewSet(patterns...)
	check := func(v visitor, class origin.Class, allowed bool) {
		t.Helper()
		o, got := origin.Classify(v.lines)
		if got != class {
			t.Errorf("%s %q: class %v, want %v", v.name, v.lines, got, class)
		}
		if matched := got == origin.Valid && set.Match(o) != origin.NoMatch; matched != allowed || v.allowed != allowed {
			t.Errorf("%s %q: the policy lets it in: %t, the visitor says %t", v.name, v.lines, matched, v.allowed)
		}
	}
	check(nobody(), origin.None, false)
	check(null(), origin.Null, false)
	check(exact(appOrigin), origin.Valid, true)
	check(exact(adminOrigin), origin.Valid, true)
	for n := range 100 {
		check(tenant(n), origin.Valid, true)
		check(stranger(n), origin.Valid, false)
	}
	for n := range malformed {
		check(bad(n), origin.Bad, false)
	}
}
