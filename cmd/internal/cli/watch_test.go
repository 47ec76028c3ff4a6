package cli

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"veneer/cmd/internal/config"
)

// What is a change, and what is none. In a bubble, where a look takes no time.
func TestWatch(t *testing.T) {
	dir := t.TempDir()
	file, key := filepath.Join(dir, "veneer.yaml"), filepath.Join(dir, "tls.key")
	write := func(name, text string, at int64) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, time.Unix(at, 0), time.Unix(at, 0)); err != nil {
			t.Fatal(err)
		}
	}
	replace := func(name, text string) {
		t.Helper()
		write(name+".new", text, 1)
		if err := os.Rename(name+".new", name); err != nil {
			t.Fatal(err)
		}
	}
	write(file, "first", 1)
	write(key, "key", 1)
	synctest.Test(t, func(t *testing.T) {
		w := &watcher{file: file}
		good := func() (*config.Config, config.Problems) { return &config.Config{Files: []string{key}}, nil }
		bad := func() (*config.Config, config.Problems) { return nil, nil }
		w.load(good)
		changed, stop := w.watch(context.Background(), time.Second)
		defer stop()
		came := func(what string, want int) {
			t.Helper()
			got := 0
			for range 5 {
				<-time.After(time.Second)
				synctest.Wait()
				select {
				case <-changed:
					got++
				default:
				}
			}
			if got != want {
				t.Errorf("%s: %d changes, want %d", what, got, want)
			}
		}
		came("at rest", 0)
		write(file, "first", 2)
		came("touched", 0)
		write(file, "second", 3)
		came("changed", 1)
		came("not loaded", 0)
		w.load(bad)
		came("bad, and told once", 0)
		write(file, "second", 4)
		came("the same bad one again", 0)
		replace(file, "seconD") // of the same size and time
		came("replaced", 1)
		w.load(good)
		write(key, "KEY", 1)
		came("a named file of the same size and time, written in place", 0) // nothing tells
		replace(key, "KEY")
		came("a named file", 1)
		w.load(good)
		if err := os.Remove(key); err != nil {
			t.Fatal(err)
		}
		came("gone", 1)
		w.load(bad)
		replace(key, "KEY")
		came("back", 1)
		w.load(good)

		// Whoever loads by another way is not told.
		write(file, "third", 5)
		<-time.After(1500 * time.Millisecond)
		w.load(good)
		came("loaded already", 0)

		// What is being written is left alone until it is not.
		for i := range 10 {
			write(file, "growing"[:i%7+1], int64(10+i))
			<-time.After(time.Second)
			synctest.Wait()
			select {
			case <-changed:
				t.Errorf("told of a file that is being written, at %d", i)
			default:
			}
		}
		came("written", 1)

		// What changes while it is read is a change.
		write(file, "fourth", 30)
		w.load(func() (*config.Config, config.Problems) { write(file, "fifth", 31); return good() })
		came("changed while it was read", 1)
	})
}
