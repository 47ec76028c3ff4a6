package storetest

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"veneer/cache"
	"veneer/cache/key"
	"veneer/cache/rfc9111"
)

const base = "https://a.example/"

var plain key.Selecting

// selects makes selecting fields of names and values in turn.
func selects(pairs ...string) key.Selecting {
	var s key.Selecting
	for i := 0; i < len(pairs); i += 2 {
		s.Names, s.Values = append(s.Names, pairs[i]), append(s.Values, pairs[i+1])
	}
	return s
}

// distinct are selecting fields of which no two are the same, though some
// would be if names and values were only strung together.
var distinct = []key.Selecting{
	plain,
	selects("Accept", ""),
	selects("Accept", key.Absent),
	selects("Accept", "a"),
	selects("Accept", "ab", "Accept-Language", "c"),
	selects("Accept", "a", "Accept-Language", "bc"),
	selects("Accept", "a", "Accept-Language", ""),
	selects("Accept-Language", "a"),
}

func testEmpty(h *harness) {
	h.lacks(Key(base, ""), plain)
	h.invalidate(Key(base, "").URI(), 0)
	o := Object(Key(base, ""), plain, "never stored")
	if err := h.store.Delete(context.Background(), o); err != nil {
		h.Fatalf("Delete of what is not stored: %v", err)
	}
}

func testVisible(h *harness) {
	for i, spec := range []cache.ObjectSpec{
		{Status: 204},
		{Status: 200, Header: http.Header{"B": {"2", "1"}, "A": {""}}, Body: [][]byte{[]byte("ab"), nil, []byte("c")}},
		{Status: 404, Tags: []string{"t1", "t2"}, Body: [][]byte{[]byte("\x00\r\n\r\n\xff")}},
		{Status: 200, Selecting: selects("Accept", key.Absent, "Cookie", "")},
		{Status: 200, Body: [][]byte{[]byte(strings.Repeat("x", 40<<10))}},
		{Status: 301, Meta: rfc9111.Meta{
			RequestTime: time.Unix(1, 2).UTC(), ResponseTime: time.Unix(3, 4).UTC(), InitialAge: time.Second, Lifetime: 5,
			StaleRevalidate: 6, StaleError: 7, Date: time.Unix(8, 0).UTC(), LastModified: time.Unix(9, 0).UTC(),
			ETag: `W/"x"`, Flags: rfc9111.NoCache | rfc9111.Immutable,
		}},
	} {
		spec.Key = Key(fmt.Sprint(base, i), "rest")
		o := cache.NewObject(spec)
		h.put(o, cache.PutOptions{}, nil)
		h.holds(o)
		h.lacks(Key(fmt.Sprint(base, i), "res"), o.Selecting)
		h.lacks(Key(fmt.Sprint(base, i), "rest2"), o.Selecting)
	}
}

func testReplace(h *harness) {
	k := Key(base, "")
	other := Object(Key(base, "other"), plain, "other")
	h.put(other, cache.PutOptions{}, nil)
	for _, body := range []string{"one", strings.Repeat("longer", 1000), "", "two"} {
		for _, s := range distinct[:2] {
			o := Object(k, s, body)
			h.put(o, cache.PutOptions{}, nil)
			h.holds(o)
			h.check()
		}
	}
	h.holds(other)
	h.invalidate(k.URI(), 3)
}

// A freshened response takes the place of the one that it was made of
// (RFC 9111 §4.3.4).
func testFreshened(h *harness) {
	for _, s := range distinct[:2] {
		o := Object(Key(base, ""), s, "content")
		h.put(o, cache.PutOptions{}, nil)
		m := o.Meta
		for _, pad := range []string{"", "longer", ""} {
			m.ResponseTime = m.ResponseTime.Add(time.Minute)
			f := o.Freshened(http.Header{"Etag": {`"e"`}, "X": {pad}}, m)
			h.put(f, cache.PutOptions{Variants: 1, Origins: 1}, nil)
			h.holds(f)
			h.check()
		}
		h.invalidate(Key(base, "").URI(), 1)
	}
}

func testVariants(h *harness) {
	var objs []*cache.Object
	for i, s := range distinct {
		h.lacks(Key(base, ""), s)
		objs = append(objs, Object(Key(base, ""), s, fmt.Sprint("variant ", i)))
		h.put(objs[i], cache.PutOptions{}, nil)
	}
	for _, o := range objs {
		h.holds(o)
	}
	h.lacks(Key(base, ""), selects("Accept", "b"))
	h.lacks(Key(base, "x"), plain)
}

func testSelectorSeesOneKey(h *harness) {
	for _, rest := range []string{"", "1", "2"} {
		for _, s := range distinct[:3] {
			h.put(Object(Key(base, rest), s, rest), cache.PutOptions{}, nil)
		}
	}
	seen := 0
	k := Key(base, "1")
	for i := -1; i < 3; i++ {
		o, err := h.store.Get(context.Background(), k, funcSelector(func(variants []*cache.Object) int {
			seen = len(variants)
			for _, v := range variants {
				if v.Key() != string(k.Bytes) {
					h.Errorf("a variant of %q among those of %q", v.Key(), k.Bytes)
				}
			}
			return i
		}))
		if err != nil || (o == nil) != (i < 0) || seen != 3 {
			h.Fatalf("selected %d of %d: got %v, %v", i, seen, o, err)
		}
	}
}

func testKeyIsNotKept(h *harness) {
	k := Key(base, "rest")
	o := Object(k, plain, "content")
	h.put(o, cache.PutOptions{}, nil)
	h.get(k, plain)
	for i := range k.Bytes {
		k.Bytes[i] = '!'
	}
	h.holds(o)
}

func testVariantCap(h *harness) {
	k, opt := Key(base, ""), cache.PutOptions{Variants: 3}
	for _, s := range distinct[:3] {
		h.put(Object(k, s, "1"), opt, nil)
	}
	h.put(Object(k, distinct[3], "1"), opt, cache.ErrTooManyVariants)
	h.lacks(k, distinct[3])
	for _, s := range distinct[:3] {
		h.holds(Object(k, s, "1"))
		o := Object(k, s, "2")
		h.put(o, opt, nil) // replacing adds none
		h.holds(o)
	}
	h.put(Object(Key(base, "x"), distinct[3], "1"), opt, nil) // another key
	h.put(Object(k, distinct[3], "1"), cache.PutOptions{Variants: 4}, nil)
	h.put(Object(k, distinct[4], "1"), cache.PutOptions{}, nil)
	if err := h.store.Delete(context.Background(), h.get(k, distinct[4])); err != nil {
		h.Fatalf("Delete: %v", err)
	}
	h.put(Object(k, distinct[4], "1"), cache.PutOptions{Variants: 5}, nil) // its place is free again
}

func testOriginCap(h *harness) {
	opt := cache.PutOptions{Origins: 2}
	for _, rest := range []string{"1", "2"} {
		h.put(Object(Key(base, rest), plain, rest), opt, nil)
		h.put(Object(Key(base, rest), distinct[1], rest), opt, nil) // a variant is no new key
	}
	h.put(Object(Key(base, "3"), plain, "3"), opt, cache.ErrTooManyOrigins)
	h.lacks(Key(base, "3"), plain)
	for _, rest := range []string{"1", "2"} {
		h.holds(Object(Key(base, rest), plain, rest))
		o := Object(Key(base, rest), plain, "again")
		h.put(o, opt, nil)
		h.holds(o)
	}
	h.put(Object(Key(base+"x", "3"), plain, "3"), opt, nil) // another URI
	h.put(Object(Key(base, "3"), plain, "3"), cache.PutOptions{}, nil)
	h.invalidate(Key(base, "").URI(), 5)
	h.put(Object(Key(base, "4"), plain, "4"), cache.PutOptions{Origins: 1}, nil)
}

func testDelete(h *harness) {
	for _, s := range distinct[:2] {
		k := Key(base, "")
		other := Object(k, distinct[3], "other variant")
		h.put(other, cache.PutOptions{}, nil)
		h.put(Object(k, s, "old"), cache.PutOptions{}, nil)
		old := h.get(k, s)
		now := Object(k, s, "new")
		h.put(now, cache.PutOptions{}, nil)
		if err := h.store.Delete(context.Background(), old); err != nil {
			h.Fatalf("Delete of what was replaced: %v", err)
		}
		h.holds(now)
		for range 2 {
			if o := h.get(k, s); o != nil {
				now = o
			}
			if err := h.store.Delete(context.Background(), now); err != nil {
				h.Fatalf("Delete: %v", err)
			}
			h.lacks(k, s)
			h.holds(other)
		}
	}
}

func testInvalidate(h *harness) {
	uris := []string{base + "a", base + "ab", base + "a?q", base + "a/", base + "A", "http://a.example/a", "https://a.example:8443/a", base}
	var all []*cache.Object
	for _, u := range uris {
		for _, rest := range []string{"", "o1", "o2"} {
			for _, s := range distinct[:2] {
				o := Object(Key(u, rest), s, u+rest)
				h.put(o, cache.PutOptions{}, nil)
				all = append(all, o)
			}
		}
	}
	for _, u := range uris {
		uri := Key(u, "").URI()
		h.invalidate(uri, 6)
		h.check()
		all = all[6:]
		for _, o := range all {
			h.holds(o)
		}
		h.invalidate(uri, 0)
		for _, rest := range []string{"", "o1", "o2"} {
			h.lacks(Key(u, rest), distinct[0])
			h.lacks(Key(u, rest), distinct[1])
		}
	}
}

// What was fetched before an invalidation does not come back after it.
func testEpoch(h *harness) {
	ctx, k := context.Background(), Key(base, "")
	stored := Object(k, plain, "stored")
	for _, present := range []bool{false, true} {
		if present {
			h.put(stored, cache.PutOptions{}, nil)
		}
		before := h.store.Epoch(k.URI())
		h.invalidate(k.URI(), map[bool]int{true: 1}[present])
		late := Object(k, plain, "late")
		if err := h.store.Put(ctx, late, cache.PutOptions{Epoch: before}); err != cache.ErrPurged {
			h.Fatalf("Put with an epoch of before: got %v, want ErrPurged", err)
		}
		h.lacks(k, plain)
		h.put(late, cache.PutOptions{}, nil)
		if err := h.store.Put(ctx, stored, cache.PutOptions{Epoch: before}); err != cache.ErrPurged {
			h.Fatalf("Put over another with an epoch of before: got %v, want ErrPurged", err)
		}
		h.holds(late)
		h.invalidate(k.URI(), 1)
	}
}
