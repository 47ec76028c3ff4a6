package browser

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// tab is a page in a browser context of its own, with a cache and cookies of
// its own, and what DevTools says about its requests.
type tab struct {
	t   *testing.T
	ctx context.Context
	at  string // URL of the page that is open

	mu       sync.Mutex // guards what follows
	requests []*request
	heads    map[network.RequestID][]*head // in order; they may come before the request does
	told     []string                      // every event, for the log of a failure
	more     chan struct{}                 // closed by the next event
}

// request is one request of the browser, as the Network domain tells it. A
// redirect is another one with the same id.
type request struct {
	id        network.RequestID
	preflight bool

	responded bool
	status    int64
	cached    bool // the browser's cache had it
	wantsHead bool // it went over the wire, and the head is told, too
	failure   string

	head *head // nil until it is told
}

// head is the start of a response as it came over the wire.
type head struct {
	status      int64
	cacheStatus string
}

// settled reports whether all that will be known of the request is.
func (r *request) settled() bool {
	return r.failure != "" || r.responded && (!r.wantsHead || r.head != nil)
}

// open makes a tab; it is closed when the test ends.
func open(t *testing.T) *tab {
	t.Helper()
	parent, err := browser.Browser()
	if err != nil {
		t.Fatal(err)
	}
	b := &tab{t: t, heads: map[network.RequestID][]*head{}, more: make(chan struct{})}
	ctx, cancel := chromedp.NewContext(parent, chromedp.WithNewBrowserContext())
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("cannot close the tab: %v", err)
		}
		cancel()
	})
	b.ctx = ctx
	if err := chromedp.Listen(ctx, b.heed); err != nil {
		t.Fatalf("cannot open a tab: %v", err)
	}
	return b
}

// visit opens a page unless it is open.
func (b *tab) visit(url string) {
	b.t.Helper()
	if b.at == url {
		return
	}
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate(url)); err != nil {
		b.t.Fatalf("cannot open %s: %v", url, err)
	}
	b.at = url
}

// evaluate runs a script of the page that is open and returns what its promise
// becomes.
func evaluate[T any](b *tab, script string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("cannot run %s: %v\n%s", script, err, b.evidence())
	}
	return v
}

// heed records an event. It runs on the goroutine that reads them all.
func (b *tab) heed(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.begun(e)
	case *network.EventResponseReceived:
		r := b.last(e.RequestID)
		r.responded, r.status, r.cached, r.wantsHead = true, e.Response.Status, e.Response.FromDiskCache, e.HasExtraInfo
		b.tell("response %d %s disk=%t %s", e.Response.Status, e.Response.URL, e.Response.FromDiskCache, e.RequestID)
	case *network.EventRequestServedFromCache:
		b.last(e.RequestID).cached = true
	case *network.EventResponseReceivedExtraInfo:
		b.arrived(e)
	case *network.EventRequestWillBeSentExtraInfo:
		b.tell("sent %v %s", e.Headers, e.RequestID)
	case *network.EventLoadingFailed:
		why := e.ErrorText
		if e.CorsErrorStatus != nil {
			why = string(e.CorsErrorStatus.CorsError)
		}
		b.last(e.RequestID).failure = cmp.Or(string(e.BlockedReason), why)
		b.tell("failed %s %s %+v %s", e.ErrorText, e.BlockedReason, e.CorsErrorStatus, e.RequestID)
	default:
		return
	}
	close(b.more)
	b.more = make(chan struct{})
}

func (b *tab) tell(format string, a ...any) { b.told = append(b.told, fmt.Sprintf(format, a...)) }

func (b *tab) begun(e *network.EventRequestWillBeSent) {
	if e.RedirectResponse != nil {
		r := b.last(e.RequestID)
		r.responded, r.status, r.wantsHead = true, e.RedirectResponse.Status, e.RedirectHasExtraInfo
	}
	b.tell("request %s %s (%s) %s", e.Request.Method, e.Request.URL, e.Type, e.RequestID)
	// DevTools calls some preflights Other; an OPTIONS of the page is a Fetch.
	// The rest of the others is the icon of a page that does not say that it
	// has none.
	other := e.Type == network.ResourceTypeOther
	preflight := e.Type == network.ResourceTypePreflight || other && e.Request.Method == "OPTIONS"
	if other && !preflight {
		return
	}
	b.requests = append(b.requests, &request{id: e.RequestID, preflight: preflight})
}

func (b *tab) arrived(e *network.EventResponseReceivedExtraInfo) {
	h := &head{status: e.StatusCode}
	for name, v := range e.Headers {
		if strings.EqualFold(name, "Cache-Status") {
			h.cacheStatus, _ = v.(string)
		}
	}
	b.heads[e.RequestID] = append(b.heads[e.RequestID], h)
	b.tell("head %d %v %s", e.StatusCode, e.Headers, e.RequestID)
}

// last returns the newest request with an id.
func (b *tab) last(id network.RequestID) *request {
	for _, r := range slices.Backward(b.requests) {
		if r.id == id {
			return r
		}
	}
	return new(request) // of a page that is gone
}

// pair gives the requests their heads. Those of one id, which redirects share,
// come in the order of the requests; b.mu is held.
func (b *tab) pair() {
	next := map[network.RequestID]int{}
	for _, r := range b.requests {
		if i := next[r.id]; (r.wantsHead || r.failure != "") && i < len(b.heads[r.id]) {
			r.head = b.heads[r.id][i]
			next[r.id]++
		}
	}
}

// mark returns a place in the record: that of the next request.
func (b *tab) mark() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.requests)
}

// since waits until the requests since a mark are settled, and returns them.
func (b *tab) since(mark int) []request {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	for {
		b.mu.Lock()
		b.pair()
		found, more := make([]request, 0, 4), b.more
		pending := len(b.requests) == mark
		for _, r := range b.requests[mark:] {
			pending = pending || !r.settled()
			found = append(found, *r)
		}
		b.mu.Unlock()
		if !pending {
			return found
		}
		select {
		case <-more:
		case <-ctx.Done():
			b.t.Fatalf("DevTools does not say how the requests ended:\n%s", b.evidence())
		}
	}
}

// evidence is the record of events.
func (b *tab) evidence() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.told, "\n")
}

var noise = regexp.MustCompile(`^veneer;? ?|; (ttl=-?\d+|fwd-status=\d+)|(fwd|detail)=`)

// source says where a response came from: the words of Cache-Status, or the
// browser's own cache. One that a 304 brought back has that in front.
func (r *request) source() string {
	switch {
	case r.head == nil && r.cached:
		return "browser"
	case r.head == nil:
		return ""
	}
	words := strings.ReplaceAll(noise.ReplaceAllString(r.head.cacheStatus, ""), ";", "")
	if r.head.status == 304 {
		words = strings.TrimSpace("304 " + words)
	}
	return words
}
