package accesslog

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A change to no waiting is one for the lines that wait already, and for those after them.
func TestRetuneToNoWaiting(t *testing.T) {
	for i := range 20 {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			cfg := testConfig(t)
			cfg.Path = filepath.Join(dir, "log")
			paths(&cfg)
			l := newLog(t, cfg)
			synctest.Wait()
			l.Record(numbered(1), hit())
			next := cfg
			next.Flush = 0
			c, err := l.Prepare(next)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Commit(); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			for n := 2; n < 5; n++ {
				l.Record(numbered(n), hit())
			}
			<-time.After(time.Hour)
			synctest.Wait()
			if got := read(t, cfg.Path); strings.Count(got, "\n") != 4 {
				t.Errorf("round %d: after an hour with flush 0: %q", i, got)
			}
			closeLog(t, l)
		})
		if t.Failed() {
			return
		}
	}
}
