package faulty

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"veneer/loadtest/internal/stamp"
)

func start(t *testing.T) (*Server, *http.Client) {
	t.Helper()
	s, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return s, &http.Client{Transport: transport}
}

func get(t *testing.T, s *Server, c *http.Client, d Doc, fields ...string) (*http.Response, []byte, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Address()+d.Target(), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Add(name, value)
	}
	res, err := c.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res, body, err
}

func TestTargetsReadBack(t *testing.T) {
	for _, d := range []Doc{
		{Path: "/"},
		{Path: "/own/1", Size: 10, Age: 2, Revalidating: 3, Change: 5 * time.Millisecond, Wait: time.Second, Drip: time.Minute, Fault: Cut, First: 4, App: Echo},
		{Path: "/own/2", NoStore: true, Once: true, Tag: "t"},
	} {
		u, err := url.Parse(d.Target())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parse(u); err != nil || got != d {
			t.Errorf("%s: %+v, %v; want %+v", d.Target(), got, err, d)
		}
	}
	for _, target := range []string{"/?colour=red", "/?size=big", "/?size=-1", "/?wait=99999999999"} {
		if u, _ := url.Parse(target); u != nil {
			if d, err := parse(u); err == nil {
				t.Errorf("%s is taken as %+v", target, d)
			}
		}
	}
}

func TestDocument(t *testing.T) {
	s, c := start(t)
	d := Doc{Path: "/d", Size: 5000, Age: 7, Revalidating: 8}
	res, body, err := get(t, s, c, d, "Origin: https://app.load.test")
	if err != nil {
		t.Fatal(err)
	}
	st, err := stamp.Read(body)
	want := stamp.Stamp{URL: d.Target(), Serial: 1, Origin: "https://app.load.test", Tag: res.Header.Get("Etag"), Until: st.Until}
	if err != nil || st != want || len(body) != 5000 || res.Header.Get("Load-Serial") != "1" {
		t.Errorf("%d bytes, %+v, %v; want %+v", len(body), st, err, want)
	}
	if got := res.Header.Get("Cache-Control"); got != "max-age=7, stale-while-revalidate=8" {
		t.Errorf("Cache-Control: %s", got)
	}
	res, _, err = get(t, s, c, d, "If-None-Match: "+st.Tag, "Origin: https://app.load.test")
	if err != nil || res.StatusCode != http.StatusNotModified {
		t.Errorf("a conditional request: %v, %v; want 304", res, err)
	}
	if diff := cmp.Diff(Tally{Fetches: 2, Seen: map[string]int{"https://app.load.test": 2}}, s.Tally(d.Target())); diff != "" || s.Fetches() != 2 {
		t.Errorf("the book, %d fetches (-want +got):\n%s", s.Fetches(), diff)
	}
}

func TestDocumentChanges(t *testing.T) {
	s, c := start(t)
	d := Doc{Path: "/d", Change: time.Millisecond}
	_, body, err := get(t, s, c, d)
	if err != nil {
		t.Fatal(err)
	}
	first, err := stamp.Read(body)
	if err != nil {
		t.Fatal(err)
	}
	for st := first; st.Tag == first.Tag; { // until it has changed
		if _, body, err = get(t, s, c, d); err != nil {
			t.Fatal(err)
		}
		if st, err = stamp.Read(body); err != nil || st.Tag == first.Tag && !st.Until.Equal(first.Until) {
			t.Fatalf("%+v, %v; before: %+v", st, err, first)
		}
	}
}

func TestFaults(t *testing.T) {
	s, c := start(t)
	for _, f := range Faults {
		d := Doc{Path: "/" + string(f), Size: 4000, Fault: f, First: 1}
		if f == Stall {
			impatient := &http.Client{Transport: c.Transport, Timeout: 20 * time.Millisecond}
			if _, _, err := get(t, s, impatient, d); err == nil {
				t.Error("stall: answered")
			}
		} else if res, body, err := get(t, s, c, d); !shows(f, res, body, err) {
			t.Errorf("%s: %v, %d bytes, %v", f, res, len(body), err)
		}
		// net/http tries once more by itself when a connection that was kept ends.
		res, body, err := get(t, s, c, d)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("%s: the second fetch: %v, %v; want 200", f, res, err)
		}
		if _, err := stamp.Read(body); err != nil {
			t.Errorf("%s: the second fetch: %v", f, err)
		}
		if got := s.Tally(d.Target()); got.Faults != 1 {
			t.Errorf("%s: the book has %+v, want one fault", f, got)
		}
		c.CloseIdleConnections()
	}
}

// shows reports whether an answer is what the fault looks like.
func shows(f Fault, res *http.Response, body []byte, err error) bool {
	_, torn := stamp.Read(body)
	switch f {
	case Error500:
		return err == nil && torn == nil && res.StatusCode == 500 && res.Header.Get("Cache-Control") == "no-store"
	case Error503:
		return err == nil && torn == nil && res.StatusCode == 503
	case Truncate, Cut:
		return errors.Is(err, io.ErrUnexpectedEOF) && errors.Is(torn, stamp.ErrTruncated)
	}
	return err != nil && res == nil
}

func TestGoneAndBack(t *testing.T) {
	s, c := start(t)
	for range 3 {
		if _, _, err := get(t, s, c, Doc{Path: "/"}); err != nil {
			t.Fatalf("there: %v", err)
		}
		s.Gone()
		s.Gone()
		if res, _, err := get(t, s, c, Doc{Path: "/"}); err == nil {
			t.Fatalf("gone, and it answers %d", res.StatusCode)
		}
		if err := errors.Join(s.Back(), s.Back()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSlow(t *testing.T) {
	s, c := start(t)
	began := time.Now()
	if _, body, err := get(t, s, c, Doc{Path: "/", Wait: 30 * time.Millisecond, Drip: 40 * time.Millisecond, Size: 999}); err != nil || len(body) != 999 {
		t.Fatalf("%d bytes, %v", len(body), err)
	}
	if took := time.Since(began); took < 65*time.Millisecond {
		t.Errorf("took %s, want 70ms and more", took)
	}
}

func TestApplications(t *testing.T) {
	s, c := start(t)
	const one, other = "https://app.load.test", "https://stranger.test"
	for _, w := range []struct {
		app                 App
		none, one, other    []string
		varyNone, vary, odd string
	}{
		{app: Silent},
		{app: Star, none: []string{"*"}, one: []string{"*"}, other: []string{"*"}},
		{app: Echo, one: []string{one}, other: []string{other}},
		{app: Late, one: []string{one}, other: []string{other}, vary: "Origin", odd: "Origin"},
		{app: Listed, one: []string{one}, vary: "Origin"},
		{app: Double, none: []string{"*", elsewhere}, one: []string{"*", elsewhere}, other: []string{"*", elsewhere}},
		{app: Wrong, none: []string{elsewhere}, one: []string{elsewhere}, other: []string{elsewhere}},
		{app: Trailer, one: []string{one}, other: []string{other}},
	} {
		if !slices.Contains(Apps, w.app) {
			t.Errorf("%q is not in the list", w.app)
		}
		for origin, want := range map[string]struct {
			allow []string
			vary  string
		}{"": {w.none, w.varyNone}, one: {w.one, w.vary}, other: {w.other, w.odd}} {
			var fields []string
			if origin != "" {
				fields = []string{"Origin: " + origin}
			}
			res, _, err := get(t, s, c, Doc{Path: "/", App: w.app}, fields...)
			if err != nil {
				t.Fatal(err)
			}
			if got := res.Header["Access-Control-Allow-Origin"]; !slices.Equal(got, want.allow) || res.Header.Get("Vary") != want.vary {
				t.Errorf("%q for %q: ACAO %q, Vary %q; want %q, %q", w.app, origin, got, res.Header.Get("Vary"), want.allow, want.vary)
			}
			if w.app == Trailer && res.Trailer.Get("Access-Control-Allow-Origin") == "" {
				t.Error("no trailer")
			}
		}
	}
}
