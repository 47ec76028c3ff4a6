package flight

import (
	"context"
	"io"
	"sync"
	"testing"
)

func BenchmarkJoinLeave(b *testing.B) {
	g, key := NewGroup[string](Options{}), []byte("https://www.example.com/a/path?and=query")
	b.ReportAllocs()
	for b.Loop() {
		f, _ := g.Join(key)
		f.Leave()
	}
}

func BenchmarkJoinWaiter(b *testing.B) {
	g, key := NewGroup[string](Options{}), []byte("https://www.example.com/a/path?and=query")
	f, _ := g.Join(key)
	defer f.Leave()
	f.Publish(context.Background(), "h", Content{})
	b.ReportAllocs()
	for b.Loop() {
		w, _ := g.Join(key)
		o, err := w.Wait(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		o.Body.Close()
	}
}

// BenchmarkFanOut streams 1 MiB to 64 readers at once.
func BenchmarkFanOut(b *testing.B) {
	const readers = 64
	body, key := content(1<<20), []byte("k")
	g := NewGroup[string](Options{})
	b.SetBytes(readers * int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		f, _ := g.Lead(key)
		var wg sync.WaitGroup
		for range readers {
			w, _ := g.Join(key)
			wg.Go(func() {
				o, err := w.Wait(context.Background())
				if err != nil {
					b.Error(err)
					return
				}
				defer o.Body.Close()
				if n, err := io.Copy(io.Discard, o.Body); n != int64(len(body)) || err != nil {
					b.Errorf("%d bytes, %v", n, err)
				}
			})
		}
		f.Publish(context.Background(), "h", Content{Expect: int64(len(body))})
		for p := body; len(p) > 0; p = p[16<<10:] {
			if _, err := f.Write(p[:16<<10]); err != nil {
				b.Fatal(err)
			}
		}
		f.Finish(nil)
		f.Leave()
		wg.Wait()
	}
}

func BenchmarkMarked(b *testing.B) {
	m, key := NewMarks(MarksOptions{}), []byte("https://www.example.com/a/path?and=query")
	m.Mark(key, 0, noon)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.Marked(key, noon)
		}
	})
}
