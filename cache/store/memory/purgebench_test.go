package memory

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"veneer/cache"
	"veneer/cache/key"
	"veneer/cache/store/storetest"
)

var purgeObjects = flag.Int("objects", 100_000, "how many Objects BenchmarkPurge stores")

// shelved makes the i-th Object of many: a thousand in each directory, a hundred
// with each tag beside their own.
func shelved(i int) *cache.Object {
	return cache.NewObject(cache.ObjectSpec{
		Key: storetest.Key(fmt.Sprintf("https://a.example/%04d/page-%08d", i/1000, i), ""), Status: 200,
		Tags: []string{fmt.Sprint("hundred-", i/100), fmt.Sprint("one-", i)},
	})
}

// Purges among many Objects cost what they touch: a URL, a directory of a
// thousand, a tag of a hundred, one that nothing has.
func BenchmarkPurge(b *testing.B) {
	n := *purgeObjects
	s := open(b, Config{Size: int64(n) * 2048})
	for i := range n {
		if err := put(b, s, shelved(i*7919%n)); err != nil {
			b.Fatal(err)
		}
	}
	begins := func(path string) key.Prefix {
		p, err := key.NewPrefix("https", "a.example", path, "", false)
		if err != nil {
			b.Fatal(err)
		}
		return p
	}
	for _, c := range []struct {
		name  string
		touch int
		purge func(i int) cache.Purge
	}{
		{"url", 1, func(i int) cache.Purge {
			return cache.Purge{Kind: cache.PurgeURL, URI: shelved(i % n).URI()}
		}},
		{"prefix of 1000", 1000, func(i int) cache.Purge {
			return cache.Purge{Kind: cache.PurgePrefix, Prefix: begins(fmt.Sprintf("/%04d/", i%(n/1000)))}
		}},
		{"prefix of 1", 1, func(i int) cache.Purge {
			return cache.Purge{Kind: cache.PurgePrefix, Prefix: begins(fmt.Sprintf("/%04d/page-%08d", i%n/1000, i%n))}
		}},
		{"prefix of none", 0, func(int) cache.Purge {
			return cache.Purge{Kind: cache.PurgePrefix, Prefix: begins("/none/")}
		}},
		{"tag of 100", 100, func(i int) cache.Purge {
			return cache.Purge{Kind: cache.PurgeTag, Tag: fmt.Sprint("hundred-", i%(n/100))}
		}},
		{"tag of none", 0, func(int) cache.Purge { return cache.Purge{Kind: cache.PurgeTag, Tag: "none"} }},
		{"all", n, func(int) cache.Purge { return cache.Purge{Kind: cache.PurgeAll} }},
	} {
		b.Run(c.name, func(b *testing.B) {
			purges := make([]cache.Purge, 1<<10)
			for i := range purges {
				purges[i] = c.purge(i * 7919)
				purges[i].At = time.Unix(1, 0)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if got, err := s.Purge(ctx, &purges[i%len(purges)]); got != c.touch || err != nil {
					b.Fatal(got, err)
				}
			}
		})
	}
}

// A hard purge takes out of everything what the next Puts bring back, which is
// measured too.
func BenchmarkPurgeHard(b *testing.B) {
	const n = 100
	s := open(b, Config{Size: 8 << 20})
	objs := make([]*cache.Object, n)
	for i := range objs {
		objs[i] = shelved(i)
	}
	p := cache.Purge{Kind: cache.PurgeTag, Tag: "hundred-0", Hard: true}
	b.ReportAllocs()
	for b.Loop() {
		for _, o := range objs {
			if err := put(b, s, o); err != nil {
				b.Fatal(err)
			}
		}
		if got, err := s.Purge(ctx, &p); got != n || err != nil {
			b.Fatal(got, err)
		}
	}
}
