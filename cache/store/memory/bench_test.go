package memory

import (
	"math/rand/v2"
	"testing"

	"veneer/cache"
	"veneer/cache/key"
)

// filled returns a Store with n Objects of 1 KiB, and their keys.
func filled(b *testing.B, n int) (*Store, []key.Key) {
	b.Helper()
	s := open(b, Config{Size: int64(n) * 4096})
	keys := make([]key.Key, n)
	for i := range keys {
		keys[i] = uriKey(i)
		if err := put(b, s, object(i, 1024)); err != nil {
			b.Fatal(err)
		}
	}
	return s, keys
}

type always struct{}

func (always) Select([]*cache.Object) int { return 0 }

func BenchmarkGet(b *testing.B) {
	s, keys := filled(b, 1<<14)
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		if o, err := s.Get(ctx, keys[i&(1<<14-1)], always{}); o == nil || err != nil {
			b.Fatal(o, err)
		}
	}
}

func BenchmarkGetParallel(b *testing.B) {
	s, keys := filled(b, 1<<14)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := rand.IntN(1 << 14); pb.Next(); i++ {
			if o, err := s.Get(ctx, keys[i&(1<<14-1)], always{}); o == nil || err != nil {
				b.Error(o, err)
				return
			}
		}
	})
}

// Put of new Objects into a full store: every one makes another go.
func BenchmarkPut(b *testing.B) {
	s, _ := filled(b, 1<<11)
	objs := make([]*cache.Object, 1<<14)
	for i := range objs {
		objs[i] = object(1<<20+i, 1024)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		if err := put(b, s, objs[i&(1<<14-1)]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPutParallel(b *testing.B) {
	s, _ := filled(b, 1<<11)
	objs := make([]*cache.Object, 1<<14)
	for i := range objs {
		objs[i] = object(1<<20+i, 1024)
	}
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := rand.IntN(1 << 14); pb.Next(); i++ {
			if err := put(b, s, objs[i&(1<<14-1)]); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// Put over an Object that is stored, as freshening does.
func BenchmarkReplace(b *testing.B) {
	s, _ := filled(b, 1<<12)
	o := object(1, 1000)
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		if err := put(b, s, o); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkInvalidate(b *testing.B) {
	s, _ := filled(b, 1<<12)
	o := object(1, 1000)
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		if err := put(b, s, o); err != nil {
			b.Fatal(err)
		}
		if _, err := s.Invalidate(ctx, []byte(o.URI())); err != nil {
			b.Fatal(err)
		}
	}
}
