package cache_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestRanges(t *testing.T) {
	whole := strings.Repeat("0123456789", 1<<20)
	var sent atomic.Int64
	run(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("ETag", `"r"`)
		http.ServeContent(countWriter{w, &sent}, r, "x.txt", time.Time{}, strings.NewReader(whole))
	}, func(x *tier) {
		a := x.get("/big", "Range: bytes=0-0")
		if a.StatusCode != http.StatusPartialContent || a.body != "0" || a.Header.Get("Content-Range") != "bytes 0-0/10485760" {
			t.Errorf("cold range: %d %.20q %v", a.StatusCode, a.body, a.Header)
		}
		synctest.Wait()
		if got := sent.Load(); got > 1<<20+1 {
			t.Errorf("the upstream sent %d bytes for one", got)
		}
		sent.Store(0)
		overlapping := "Range: bytes=" + strings.TrimSuffix(strings.Repeat("0-1048575,", 10), ",")
		if a = x.get("/big", overlapping); a.StatusCode != http.StatusRequestedRangeNotSatisfiable || sent.Load() > 0 {
			t.Errorf("ten overlapping ranges: %d, %d bytes from upstream", a.StatusCode, sent.Load())
		}
		wantBody(t, x.get("/big"), whole)
		synctest.Wait()
		for _, c := range []struct {
			field, body, contentRange string
			status                    int
		}{
			{"bytes=5-7", "567", "bytes 5-7/10485760", 206},
			{"bytes=-3", "789", "bytes 10485757-10485759/10485760", 206},
			{"bytes=10485758-", "89", "bytes 10485758-10485759/10485760", 206},
			{"bytes=10485760-", "", "bytes */10485760", 416},
			{"bytes=0-5,3-7", "", "bytes */10485760", 416},
		} {
			a = x.get("/big", "Range: "+c.field)
			if a.StatusCode != c.status || a.body != c.body || a.Header.Get("Content-Range") != c.contentRange {
				t.Errorf("%s: %d %q %q", c.field, a.StatusCode, a.body, a.Header.Get("Content-Range"))
			}
		}
		a = x.get("/big", "Range: bytes=0-1,8-9")
		if a.StatusCode != 206 || strings.Count(a.body, "Content-Range: bytes ") != 2 || a.ContentLength != int64(len(a.body)) {
			t.Errorf("two ranges: %d %q", a.StatusCode, a.body)
		}
		if a = x.get("/big", "Range: bytes=0-1", `If-Range: "other"`); a.StatusCode != 200 {
			t.Errorf("If-Range of another: %d", a.StatusCode)
		}
	})
}

// countWriter counts what the upstream's handler hands to its connection.
type countWriter struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (c countWriter) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.n.Add(int64(n))
	return n, err
}

// A range of something small is answered at once, and the whole is fetched so
// that the next one is a hit.
func TestSmallRangeFetchesWhole(t *testing.T) {
	run(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		http.ServeContent(w, r, "x.txt", time.Time{}, strings.NewReader("0123456789"))
	}, func(x *tier) {
		wantBody(t, x.get("/s", "Range: bytes=2-3"), "23")
		synctest.Wait()
		a := x.get("/s", "Range: bytes=4-5")
		wantBody(t, a, "45")
		wantStatus(t, a, "veneer; hit; ttl=60")
		if x.requests() != 2 {
			t.Errorf("%d upstream requests, want 2", x.requests())
		}
	})
}
