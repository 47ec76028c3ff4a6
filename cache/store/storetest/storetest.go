// Package storetest is the acceptance suite that every cache.Store passes, and
// the wrapper that keeps client fields out of stores under test.
//
// A Store may forget what it was given, at any time; it may never invent. The
// suite therefore asks little of small stores and everything of their answers.
package storetest

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"veneer/cache"
	"veneer/cache/key"
	"veneer/cache/rfc9111"
)

// Checker is a Store that can look for contradictions in itself. The suite
// calls Check where it has one, with nothing else under way.
type Checker interface{ Check() error }

// Run runs the suite as subtests of t. open returns an empty Store that keeps
// at least 1 MiB of Objects without forgetting any, and closes it by t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) cache.Store) {
	for _, c := range []struct {
		name string
		test func(h *harness)
	}{
		{"Empty", testEmpty},
		{"Visible", testVisible},
		{"Replace", testReplace},
		{"Freshened", testFreshened},
		{"Variants", testVariants},
		{"SelectorSeesOneKey", testSelectorSeesOneKey},
		{"KeyIsNotKept", testKeyIsNotKept},
		{"VariantCap", testVariantCap},
		{"OriginCap", testOriginCap},
		{"Delete", testDelete},
		{"Invalidate", testInvalidate},
		{"Epoch", testEpoch},
		{"Purge", testPurge},
		{"PurgeOrder", testPurgeOrder},
		{"PurgeIsNotForgotten", testPurgeIsNotForgotten},
		{"Model", testModel},
		{"Concurrent", testConcurrent},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &harness{t, Bare(t, open(t))}
			c.test(h)
			h.check()
		})
	}
}

// Key makes a primary key of a target URI and whatever else is keyed. The URI
// part is that of a real key, also of what is no URI.
func Key(uri, rest string) key.Key {
	t, text := key.Target{}, uri
	if scheme, after, ok := strings.Cut(text, "://"); ok {
		t.Scheme, text = scheme, after
		end := strings.IndexByte(text, '/')
		if end < 0 {
			end = len(text)
		}
		t.Host, text = text[:end], text[end:]
	}
	t.Path, t.Query, _ = strings.Cut(text, "?")
	b := key.URIKey(nil, t)
	return key.Key{Bytes: append(b, rest...), Group: len(b)}
}

// TagOf returns the tag that the Objects of a target URI have.
func TagOf(uri string) string { return "tag-" + string(Key(uri, "").URI()) }

// Object makes an Object with a field, the tag "all" and that of its target URI,
// and the given content.
func Object(k key.Key, s key.Selecting, body string) *cache.Object {
	return cache.NewObject(cache.ObjectSpec{
		Key: k, Selecting: s, Status: http.StatusOK,
		Meta:   rfc9111.Meta{ResponseTime: time.Unix(1_700_000_000, 0).UTC(), Lifetime: time.Minute, ETag: `"e"`, Flags: rfc9111.Explicit},
		Header: http.Header{"Content-Type": {"text/plain"}, "Etag": {`"e"`}},
		Tags:   []string{"all", "tag-" + string(k.URI())},
		Body:   [][]byte{[]byte(body)},
	})
}

// Select returns the Selector of a request whose selecting fields are s.
func Select(s key.Selecting) cache.Selector { return selector(s) }

type selector key.Selecting

func (s selector) Select(variants []*cache.Object) int {
	for i, o := range variants {
		if cmp.Equal(o.Selecting, key.Selecting(s), cmpopts.EquateEmpty()) {
			return i
		}
	}
	return -1
}

// funcSelector is a Selector made of a function.
type funcSelector func(variants []*cache.Object) int

func (f funcSelector) Select(variants []*cache.Object) int { return f(variants) }

// content is all that an Object says, to be compared across stores that keep
// bytes and stores that keep pointers.
type content struct {
	Key, URI  string
	Status    int
	Selecting key.Selecting
	Meta      rfc9111.Meta
	Tags      []string
	Block     string
	Body      string
}

func contentOf(o *cache.Object) *content {
	if o == nil {
		return nil
	}
	return &content{o.Key(), o.URI(), o.Status, o.Selecting, o.Meta, o.Tags, o.Block(), string(o.Body())}
}

// diff tells two Objects apart by content; "" means that they are the same.
func diff(want, got *cache.Object) string {
	return cmp.Diff(contentOf(want), contentOf(got), cmpopts.EquateEmpty())
}

// fataler is what a harness needs of *testing.T and *rapid.T.
type fataler interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// harness holds a Store and fails the test at what must not happen.
type harness struct {
	fataler
	store cache.Store
}

// put stores o with the epoch of now and compares the error.
func (h *harness) put(o *cache.Object, opt cache.PutOptions, want error) {
	h.Helper()
	opt.Epoch = h.store.Epoch([]byte(o.URI()))
	if err := h.store.Put(context.Background(), o, opt); err != want {
		h.Fatalf("Put(%q): got error %v, want %v", o.Key(), err, want)
	}
}

// get returns what is stored for a key and selecting fields.
func (h *harness) get(k key.Key, s key.Selecting) *cache.Object {
	h.Helper()
	o, err := h.store.Get(context.Background(), k, Select(s))
	if err != nil {
		h.Fatalf("Get(%q): %v", k.Bytes, err)
	}
	return o
}

// holds fails unless want is what a Get for its key and fields returns.
func (h *harness) holds(want *cache.Object) {
	h.Helper()
	k := key.Key{Bytes: []byte(want.Key()), Group: len(want.URI())}
	if d := diff(want, h.get(k, want.Selecting)); d != "" {
		h.Fatalf("Get(%q): -want +got\n%s", k.Bytes, d)
	}
}

// lacks fails if anything is stored for a key and fields.
func (h *harness) lacks(k key.Key, s key.Selecting) {
	h.Helper()
	if o := h.get(k, s); o != nil {
		h.Fatalf("Get(%q): got %q, want nothing", k.Bytes, o.Body())
	}
}

// invalidate removes all of uri and compares the count.
func (h *harness) invalidate(uri []byte, want int) {
	h.Helper()
	n, err := h.store.Invalidate(context.Background(), uri)
	if err != nil || n != want {
		h.Fatalf("Invalidate(%q): got %d, %v; want %d", uri, n, err, want)
	}
}

// check asks a Checker.
func (h *harness) check() {
	h.Helper()
	s := h.store
	if b, ok := s.(*bare); ok {
		s = b.Store
	}
	if c, ok := s.(Checker); ok {
		if err := c.Check(); err != nil {
			h.Fatalf("the store contradicts itself: %v", err)
		}
	}
}
