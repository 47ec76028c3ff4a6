package storetest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"

	"veneer/cache"
	"veneer/cache/key"
)

// purgedAt is when the purges of the suite are given.
var purgedAt = time.Unix(1_700_000_030, 0)

// prefixOf makes the beginning of URIs of Key that text is.
func prefixOf(h fataler, text string) key.Prefix {
	u, err := url.Parse(text)
	if err != nil {
		h.Fatalf("%v", err)
	}
	p, err := key.NewPrefix(u.Scheme, u.Host, u.Path, "", false)
	if err != nil {
		h.Fatalf("%v", err)
	}
	return p
}

// purgesOf are a purge of each kind that concerns the Object of base+"a/b" and,
// but for the last, not that of base+"c".
func purgesOf(h fataler) []cache.Purge {
	return []cache.Purge{
		{Kind: cache.PurgeURL, URI: string(Key(base+"a/b", "").URI())},
		{Kind: cache.PurgePrefix, Prefix: prefixOf(h, base+"a")},
		{Kind: cache.PurgeTag, Tag: TagOf(base + "a/b")},
		{Kind: cache.PurgeAll},
	}
}

// purge carries out p and compares the count.
func (h *harness) purge(p cache.Purge, want int) {
	h.Helper()
	p.At = purgedAt
	n, err := h.store.Purge(context.Background(), &p)
	if errors.Is(err, errors.ErrUnsupported) {
		if t, ok := h.fataler.(*testing.T); ok {
			t.Skip("this store says that it is not for purging")
		}
	}
	if err != nil || n != want {
		h.Fatalf("Purge(%s, hard %t): got %d, %v; want %d", p.Kind, p.Hard, n, err, want)
	}
}

// isPurged compares whether what is stored for a key is marked.
func (h *harness) isPurged(k key.Key, s key.Selecting, want bool) {
	h.Helper()
	o := h.get(k, s)
	if o == nil {
		h.Fatalf("Get(%q): got nothing", k.Bytes)
	}
	at, purged := o.PurgedAt()
	if purged != want || purged && !at.Equal(purgedAt) {
		h.Fatalf("Get(%q): purged %t at %s, want %t at %s", k.Bytes, purged, at, want, purgedAt)
	}
}

// purgeCases are purges, and which of the URIs of testPurge they are about; nil
// is all of them.
func purgeCases(h fataler) []purgeCase {
	url := func(u string) cache.Purge { return cache.Purge{Kind: cache.PurgeURL, URI: string(Key(u, "").URI())} }
	begins := func(text string) cache.Purge {
		return cache.Purge{Kind: cache.PurgePrefix, Prefix: prefixOf(h, text)}
	}
	tag := func(t string) cache.Purge { return cache.Purge{Kind: cache.PurgeTag, Tag: t} }
	return []purgeCase{
		{url(base + "a/b"), []string{base + "a/b"}},
		{url(base + "never"), []string{}},
		{begins(base + "a"), []string{base + "a", base + "a/b", base + "a/b?q", base + "ab"}},
		{begins(base + "a/"), []string{base + "a/b", base + "a/b?q"}},
		{begins(base), []string{base, base + "a", base + "a/b", base + "a/b?q", base + "ab", base + "b"}},
		{begins(base + "z"), []string{}},
		{tag(TagOf(base + "b")), []string{base + "b"}},
		{tag("all"), nil},
		{tag("never"), []string{}},
		{cache.Purge{Kind: cache.PurgeAll}, nil},
	}
}

type purgeCase struct {
	purge cache.Purge
	uris  []string
}

func (c *purgeCase) concerns(uri string) bool { return c.uris == nil || slices.Contains(c.uris, uri) }

// Each kind finds all origins and variants of what it is about, and nothing
// else. A soft one leaves them, marked; a hard one does not.
func testPurge(h *harness) {
	type where struct {
		uri, rest string
		variant   int
	}
	var all []where
	for _, uri := range []string{base, base + "a", base + "a/b", base + "a/b?q", base + "ab", base + "b", "http://a.example/a", "https://a.example.org/a/b", "https://b.example/a"} {
		for _, rest := range []string{"", "o1"} {
			for v := range 2 {
				all = append(all, where{uri, rest, v})
			}
		}
	}
	for _, c := range purgeCases(h) {
		want := 0
		for _, w := range all {
			h.put(Object(Key(w.uri, w.rest), distinct[w.variant], "content"), cache.PutOptions{}, nil)
			if c.concerns(w.uri) {
				want++
			}
		}
		h.purge(c.purge, want)
		h.purge(c.purge, want) // what is marked is still there
		for _, w := range all {
			h.isPurged(Key(w.uri, w.rest), distinct[w.variant], c.concerns(w.uri))
		}
		h.check()
		c.purge.Hard = true
		h.purge(c.purge, want)
		h.purge(c.purge, 0)
		for _, w := range all {
			if c.concerns(w.uri) {
				h.lacks(Key(w.uri, w.rest), distinct[w.variant])
				continue
			}
			h.isPurged(Key(w.uri, w.rest), distinct[w.variant], false)
		}
		h.check()
	}
}

// What was fetched before a purge is not stored after it if the purge concerns
// it, and is stored if it does not.
func testPurgeOrder(h *harness) {
	ctx := context.Background()
	in, out := Key(base+"a/b", ""), Key(base+"c", "")
	for _, p := range purgesOf(h) {
		for _, hard := range []bool{false, true} {
			p.Hard = hard
			late, other := Object(in, plain, "late"), Object(out, plain, "other")
			before := [2]cache.Epoch{h.store.Epoch(in.URI()), h.store.Epoch(out.URI())}
			h.purge(p, 0)
			now := [2]cache.Epoch{h.store.Epoch(in.URI()), h.store.Epoch(out.URI())}
			if !h.store.Purged(late, before[0], now[0]) || h.store.Purged(late, now[0], now[0]) || h.store.Purged(late, now[0], before[0]) {
				h.Errorf("Purged by %s: want true of what was fetched before alone", p.Kind)
			}
			if err := h.store.Put(ctx, late, cache.PutOptions{Epoch: before[0]}); err != cache.ErrPurged {
				h.Fatalf("Put from before a purge of its %s: got %v, want ErrPurged", p.Kind, err)
			}
			h.lacks(in, plain)
			if p.Kind == cache.PurgePrefix || p.Kind == cache.PurgeTag { // of the others Epoch.URI may say too much
				if h.store.Purged(other, before[1], now[1]) {
					h.Errorf("Purged by a %s of another: got true", p.Kind)
				}
				if err := h.store.Put(ctx, other, cache.PutOptions{Epoch: before[1]}); err != nil {
					h.Fatalf("Put from before a purge of another's %s: got %v", p.Kind, err)
				}
				h.invalidate(out.URI(), 1)
			}
			h.put(late, cache.PutOptions{}, nil) // with an epoch of now
			h.isPurged(in, plain, false)
			h.invalidate(in.URI(), 1)
		}
	}
}

// A response that took so long that the store cannot know any more is not
// stored.
func testPurgeIsNotForgotten(h *harness) {
	k := Key(base+"a/b", "")
	late, before := Object(k, plain, "late"), h.store.Epoch(k.URI())
	h.purge(cache.Purge{Kind: cache.PurgeTag, Tag: "all"}, 0)
	for i := range 3000 {
		h.purge(cache.Purge{Kind: cache.PurgeTag, Tag: fmt.Sprint("other ", i)}, 0)
	}
	if err := h.store.Put(context.Background(), late, cache.PutOptions{Epoch: before}); err != cache.ErrPurged {
		h.Fatalf("Put from long before: got %v, want ErrPurged", err)
	}
	h.put(late, cache.PutOptions{}, nil)
}
