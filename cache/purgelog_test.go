package cache_test

import (
	"fmt"
	"testing"

	"veneer/cache"
	"veneer/cache/store/storetest"
)

func TestPurgeLog(t *testing.T) {
	var l cache.PurgeLog
	if l.Last() != 0 || l.Concerns(&cache.Object{}, 0, 9) {
		t.Error("an empty log concerns somebody")
	}
	k := storetest.Key("http://a/b", "")
	few := cache.NewObject(cache.ObjectSpec{Key: k, Tags: []string{"a", "b"}})
	many := cache.NewObject(cache.ObjectSpec{Key: k, Tags: []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}})
	none := cache.NewObject(cache.ObjectSpec{Key: k})
	for _, p := range []cache.Purge{
		{Kind: cache.PurgeTag, Tag: "b"}, {Kind: cache.PurgeTag, Tag: "j"}, {Kind: cache.PurgeURL, URI: few.URI()}, {Kind: cache.PurgeURL}, {Kind: cache.PurgeAll},
	} {
		l.Append(&p)
	}
	for _, c := range []struct {
		after, upTo     uint64
		few, many, bare bool
	}{
		{0, 0, false, false, false}, {0, 1, true, true, false}, {1, 2, false, true, false}, {2, 3, true, true, true},
		{3, 4, false, false, false}, {4, 5, true, true, true}, {0, 5, true, true, true}, {3, 99, true, true, true},
		{5, 99, false, false, false}, {2, 1, false, false, false}, {99, 99, false, false, false},
	} {
		got := [3]bool{l.Concerns(few, c.after, c.upTo), l.Concerns(many, c.after, c.upTo), l.Concerns(none, c.after, c.upTo)}
		if want := [3]bool{c.few, c.many, c.bare}; got != want {
			t.Errorf("after %d, up to %d: got %v, want %v", c.after, c.upTo, got, want)
		}
	}

	// Exactly the newest 1024 are remembered.
	for i := range 1 << 10 {
		l.Append(&cache.Purge{Kind: cache.PurgeTag, Tag: fmt.Sprint("other ", i)})
	}
	if last := l.Last(); last != 5+1<<10 || !l.Concerns(none, 4, last) || l.Concerns(none, 5, last) || !l.Concerns(none, 4, 5) {
		t.Errorf("with %d purges: concerned from 4 on %t, from 5 on %t, by 5 alone %t", last, l.Concerns(none, 4, last), l.Concerns(none, 5, last), l.Concerns(none, 4, 5))
	}
}
