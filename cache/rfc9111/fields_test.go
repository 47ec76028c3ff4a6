package rfc9111

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"veneer/cache/cachestatus"
)

func TestStoredFields(t *testing.T) {
	for _, c := range []struct {
		name   string
		in     http.Header
		policy Policy
		want   http.Header
	}{
		{"what Connection lists",
			header("Connection", "a, B", "Connection", "x-c", "A", "1", "B", "2", "X-C", "3", "D", "4", "Date", at(-1)), Policy{},
			header("D", "4", "Date", at(-1))},
		{"fields of the connection, of proxies, and what follows from elsewhere",
			header("Keep-Alive", "x", "Proxy-Authenticate", "x", "Proxy-Authentication-Info", "x", "Proxy-Authorization", "x",
				"Proxy-Connection", "x", "Te", "x", "Trailer", "x", "Transfer-Encoding", "x", "Upgrade", "x", "Age", "5", "Content-Length", "7", "Date", at(0)), Policy{},
			header("Date", at(0))},
		{"all else is kept",
			header("Cache-Control", "max-age=1", "Content-Encoding", "gzip", "Content-Range", "x", "Content-Type", "a/b", "Etag", `"a"`, "Expires", "0",
				"Set-Cookie", "a=b", "Set-Cookie", "c=d", "Set-Cookie2", "x", "Vary", "a", "Cdn-Cache-Control", "max-age=1", "Date", at(0)), Policy{},
			header("Cache-Control", "max-age=1", "Content-Encoding", "gzip", "Content-Range", "x", "Content-Type", "a/b", "Etag", `"a"`, "Expires", "0",
				"Set-Cookie", "a=b", "Set-Cookie", "c=d", "Set-Cookie2", "x", "Vary", "a", "Cdn-Cache-Control", "max-age=1", "Date", at(0))},
		{"what private lists",
			header("Cache-Control", `max-age=1, private="x-user, set-cookie"`, "X-User", "1", "Set-Cookie", "a=b", "Date", at(0)), Policy{},
			header("Cache-Control", `max-age=1, private="x-user, set-cookie"`, "Date", at(0))},
		{"Set-Cookie stripped", header("Set-Cookie", "a=b", "Date", at(0)), Policy{SetCookie: SetCookieStrip}, header("Date", at(0))},
		{"Date added", header("X", "y"), Policy{}, header("X", "y", "Date", at(0))},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := response()
			r.Header = c.in
			before := c.in.Clone()
			got := StoredFields(r, &c.policy)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for name := range got {
				got[name][0] = "changed"
			}
			if diff := cmp.Diff(before, c.in); diff != "" {
				t.Errorf("the response was changed (-before +after):\n%s", diff)
			}
		})
	}
}

func TestFreshen(t *testing.T) {
	for _, c := range []struct {
		name          string
		stored, fresh http.Header
		want          http.Header
	}{
		{"replaces, adds, keeps",
			header("A", "1", "A", "2", "B", "1", "Date", at(-60)), header("A", "3", "C", "4", "Date", at(0)),
			header("A", "3", "B", "1", "C", "4", "Date", at(0))},
		{"fields that do update",
			header("Cache-Control", "max-age=1", "Content-Type", "text/plain", "Content-Location", "/a", "Expires", "a", "X-Frame-Options", "deny", "Set-Cookie", "a=b", "Content-Foo", "1"),
			header("Cache-Control", "max-age=2", "Content-Type", "text/plain;charset=utf-8", "Content-Location", "/b", "Expires", "b", "X-Frame-Options", "sameorigin", "Set-Cookie", "a=c", "Content-Foo", "2"),
			header("Cache-Control", "max-age=2", "Content-Type", "text/plain;charset=utf-8", "Content-Location", "/b", "Expires", "b", "X-Frame-Options", "sameorigin", "Set-Cookie", "a=c", "Content-Foo", "2")},
		{"fields of the content do not",
			header("Content-Encoding", "gzip", "Content-Md5", "a", "Content-Range", "a", "Etag", `"a"`),
			header("Content-Encoding", "br", "Content-Md5", "b", "Content-Range", "b", "Etag", `"b"`, "Content-Length", "10"),
			header("Content-Encoding", "gzip", "Content-Md5", "a", "Content-Range", "a", "Etag", `"a"`)},
		{"nor are they added", header("A", "1"), header("Content-Encoding", "br", "Etag", `"b"`, "Content-Range", "x"), header("A", "1")},
		{"fields of the connection do not", header("X-Hop", "stored", "A", "1"),
			header("Connection", "x-hop", "X-Hop", "1", "Keep-Alive", "x", "Transfer-Encoding", "chunked", "Proxy-Authenticate", "x"), header("X-Hop", "stored", "A", "1")},
		{"Age and Date are of the new response", header("Date", at(-60), "Age", "9"), header("Age", "3"), header("Age", "3")},
		{"nothing stored", nil, header("A", "1"), header("A", "1")},
	} {
		t.Run(c.name, func(t *testing.T) {
			stored, fresh := c.stored.Clone(), c.fresh.Clone()
			if diff := cmp.Diff(c.want, Freshen(c.stored, c.fresh)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]http.Header{stored, fresh}, []http.Header{c.stored, c.fresh}); diff != "" {
				t.Errorf("an argument was changed:\n%s", diff)
			}
		})
	}
}

func TestRefresh(t *testing.T) {
	later := epoch.Add(time.Hour)
	for _, c := range []struct {
		name   string
		stored http.Header
		fresh  http.Header
		change func(r *Response)
		policy Policy
		want   http.Header
		meta   Meta
		reason cachestatus.Reason
	}{
		{
			name:   "a new lease",
			stored: header("Cache-Control", "max-age=60", "Etag", `"a"`, "Date", at(0), "A", "1"),
			fresh:  header("Etag", `"a"`, "Date", at(3600)),
			want:   header("Cache-Control", "max-age=60", "Etag", `"a"`, "Date", at(3600), "A", "1"),
			meta:   Meta{Lifetime: time.Minute, ETag: `"a"`, Flags: Explicit, Date: later},
		},
		{
			name:   "its freshness, its age, no Date of its own",
			stored: header("Cache-Control", "max-age=60", "Last-Modified", at(-9), "Date", at(0)),
			fresh:  header("Cache-Control", "max-age=120", "Age", "20"),
			want:   header("Cache-Control", "max-age=120", "Last-Modified", at(-9), "Date", at(3600)),
			meta:   Meta{Lifetime: 2 * time.Minute, InitialAge: 20 * time.Second, LastModified: epoch.Add(-9 * time.Second), Flags: Explicit, Date: later},
		},
		{
			name:   "a cookie for one client",
			stored: header("Cache-Control", "max-age=60", "Etag", `"a"`),
			fresh:  header("Set-Cookie", "a=b", "Date", at(3600)),
			want:   header("Cache-Control", "max-age=60", "Etag", `"a"`, "Date", at(3600)),
			meta:   Meta{Lifetime: time.Minute, ETag: `"a"`, Flags: Explicit, Date: later},
		},
		{
			name:   "a cookie for all",
			stored: header("Cache-Control", "max-age=60", "Set-Cookie", "a=b"),
			fresh:  header("Set-Cookie", "a=c", "Date", at(3600)),
			policy: Policy{SetCookie: SetCookieStore},
			want:   header("Cache-Control", "max-age=60", "Set-Cookie", "a=c", "Date", at(3600)),
			meta:   Meta{Lifetime: time.Minute, Flags: Explicit, Date: later},
		},
		{
			name:   "no longer to be stored",
			stored: header("Cache-Control", "max-age=60", "Etag", `"a"`),
			fresh:  header("Cache-Control", "no-store"),
			reason: cachestatus.NoStore,
		},
		{
			name:   "varies on everything from now on",
			stored: header("Cache-Control", "max-age=60", "Vary", "a"),
			fresh:  header("Vary", "*"),
			reason: cachestatus.VaryStar,
		},
		{
			name:   "asked with credentials",
			stored: header("Cache-Control", "max-age=60", "Etag", `"a"`),
			fresh:  header("Etag", `"a"`),
			change: func(r *Response) { r.Request = header("Authorization", "x") },
			reason: cachestatus.Authorization,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &Response{Method: http.MethodHead, Status: http.StatusNotModified, Header: c.fresh, RequestTime: later, ResponseTime: later}
			if c.change != nil {
				c.change(r)
			}
			if c.reason == cachestatus.None {
				c.meta.RequestTime, c.meta.ResponseTime = later, later
			}
			h, m, reason := Refresh(c.stored, http.StatusOK, r, &c.policy)
			if reason != c.reason {
				t.Errorf("got the reason %s, want %s", reason, c.reason)
			}
			if diff := cmp.Diff(c.want, h); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.meta, m); diff != "" {
				t.Errorf("meta (-want +got):\n%s", diff)
			}
		})
	}
}

// A response freshened by itself stays what it was.
func TestFreshenIsIdempotent(t *testing.T) {
	names := []string{"A", "Etag", "Cache-Control", "Content-Encoding", "Connection", "Keep-Alive", "Age", "Date", "Content-Length"}
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) http.Header {
			return http.Header(rapid.MapOf(rapid.SampledFrom(names), rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "date"}), 1, 2)).Draw(t, label))
		}
		stored, fresh := draw("stored"), draw("fresh")
		once := Freshen(stored, fresh)
		if diff := cmp.Diff(once, Freshen(once, fresh)); diff != "" {
			t.Fatalf("(-once +twice):\n%s", diff)
		}
	})
}

func TestHeadFreshens(t *testing.T) {
	stored := header("Etag", `"a"`, "Last-Modified", at(-60), "X", "1")
	for _, c := range []struct {
		name string
		head http.Header
		want bool
	}{
		{"nothing to compare", header("Cache-Control", "max-age=1000"), true},
		{"all the same", header("Etag", `"a"`, "Last-Modified", at(-60), "Content-Length", "7"), true},
		{"another entity-tag", header("Etag", `"b"`), false},
		{"a weak one", header("Etag", `W/"a"`), false},
		{"another date", header("Last-Modified", at(-50)), false},
		{"another length", header("Content-Length", "8"), false},
		{"a length that is none", header("Content-Length", "+7"), false},
		{"two lengths", header("Content-Length", "7", "Content-Length", "7"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := HeadFreshens(stored, c.head, 7); got != c.want {
				t.Errorf("got %t, want %t", got, c.want)
			}
		})
	}
}
