package memory

import (
	"errors"
	"slices"
	"testing"

	"veneer/cache"
	"veneer/cache/key"
	"veneer/cache/store/storetest"
)

// Peek shows what Get would choose from, and leaves no trace.
func TestPeek(t *testing.T) {
	s := open(t, Config{Size: 1 << 20})
	k := uriKey(1)
	if objs, err := s.Peek(ctx, k); objs != nil || err != nil {
		t.Errorf("an empty store: %v, %v", objs, err)
	}
	var want []*cache.Object
	for _, lang := range []string{"de", "en"} {
		o := storetest.Object(k, key.Selecting{Names: []string{"Accept-Language"}, Values: []string{lang}}, lang)
		want = append(want, o)
		if err := put(t, s, o); err != nil {
			t.Fatal(err)
		}
	}
	hit := func() (n int) {
		for _, e := range s.entriesOf(k) {
			if e.hit.Load() {
				n++
			}
		}
		return n
	}
	before := s.Stats()
	got, err := s.Peek(ctx, k)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if after := s.Stats(); after != before || hit() != 0 {
		t.Errorf("a peek changed %+v to %+v, and %d entries are in use", before, after, hit())
	}
	if _, err := s.Get(ctx, k, storetest.Select(want[0].Selecting)); err != nil || hit() != 1 {
		t.Errorf("%v, and a Get counts as no use: this test would prove nothing", err)
	}
	s.Close()
	if _, err := s.Peek(ctx, k); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed store: %v", err)
	}
}

// A glance that selects counts as Get does, and one that does not leaves no
// trace.
func TestGlance(t *testing.T) {
	s := open(t, Config{Size: 1 << 20})
	k := uriKey(1)
	german := key.Selecting{Names: []string{"Accept-Language"}, Values: []string{"de"}}
	english := key.Selecting{Names: german.Names, Values: []string{"en"}}
	o := storetest.Object(k, german, "de")
	if err := put(t, s, o); err != nil {
		t.Fatal(err)
	}
	before := s.Stats()
	for _, nothing := range []*cache.Object{s.Glance(uriKey(2), storetest.Select(german)), s.Glance(k, storetest.Select(english))} {
		if nothing != nil {
			t.Errorf("got %v", nothing)
		}
	}
	if after := s.Stats(); after != before || s.entriesOf(k)[0].hit.Load() {
		t.Errorf("nothing was selected, and %+v became %+v", before, after)
	}
	if got := s.Glance(k, storetest.Select(german)); got != o {
		t.Errorf("got %v", got)
	}
	before.Hits++
	if after := s.Stats(); after != before || !s.entriesOf(k)[0].hit.Load() {
		t.Errorf("a hit was counted as %+v, want %+v", after, before)
	}
	s.Close()
	if got := s.Glance(k, storetest.Select(german)); got != nil {
		t.Errorf("a closed store: %v", got)
	}
}

// entriesOf returns the entries of a key.
func (s *Store) entriesOf(k key.Key) []*entry {
	hash, id := s.hash.bytes(k)
	if r := s.shard(hash).lookup(id, k.Bytes); r != nil {
		return r.all()
	}
	return nil
}
