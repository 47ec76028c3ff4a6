package app

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"veneer/cmd/internal/config"
)

// api asks the admin API and reads its answer into v.
func (r *running) api(path string, v any) {
	r.t.Helper()
	res, text := r.ask(http.MethodGet, "http://"+r.AdminAddr().String()+"/api/"+path)
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "application/json" {
		r.t.Fatalf("%s: %s, %s: %s", path, res.Status, res.Header.Get("Content-Type"), text)
	}
	if err := json.Unmarshal([]byte(text), v); err != nil {
		r.t.Fatalf("%s: %v: %s", path, err, text)
	}
}

func readAll(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// counted waits until n requests are counted: one is when its client has its
// answer already.
func (r *running) counted(n int64) (s Stats) {
	r.t.Helper()
	for range 1000 {
		if r.api("stats", &s); s.Totals.Requests >= n {
			return s
		}
		<-time.After(time.Millisecond)
	}
	r.t.Fatalf("%d requests are counted, want %d", s.Totals.Requests, n)
	return s
}

func results(m map[string]int64) map[string]int64 {
	all := map[string]int64{"bypass": 0, "hit": 0, "miss": 0, "stale": 0, "revalidated": 0, "collapsed": 0, "error": 0, "preflight": 0}
	for name, n := range m {
		all[name] = n
	}
	return all
}

// The API shows what was asked: sums, routes with their origins, requests with
// their reason.
func TestAPI(t *testing.T) {
	up := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		if strings.HasPrefix(r.URL.Path, "/private") {
			w.Header().Set("Cache-Control", "private")
		}
		_, _ = w.Write([]byte("0123456789"))
	})
	r := run(t, testConfig(t, up, func(c *config.Config) {
		c.Routes = append(c.Routes, config.NewRoute("", "/pass/", "up"))
	}))
	before := time.Now().Add(-time.Minute)
	r.get("/a", "Origin: "+originApp)
	r.get("/a", "Origin: "+originApp)
	r.get("/a")
	r.get("/private?token=geheim&x=1", "Origin: https://stranger.example")
	r.get("/pass/b")
	s := r.counted(5)
	if want := results(map[string]int64{"hit": 1, "miss": 4}); !cmp.Equal(s.Totals.Results, want) || s.Totals.Sent != 50 || s.Totals.Saved != 10 {
		t.Errorf("in total %+v, want %v, 50 and 10 bytes", s.Totals, want)
	}
	started, err := time.Parse(time.RFC3339, s.StartedAt)
	if err != nil || started.Before(before) || s.State != "serving" || s.Config.Generation != 1 || !s.Config.OK || s.History == nil || s.History.Step != 2 {
		t.Errorf("stats: %+v, %v", s, err)
	}
	if s.Store.Objects != 3 || s.Store.Size != 8<<20 || s.Store.Bytes == 0 {
		t.Errorf("the store: %+v", s.Store)
	}
	s.Upstreams[0].Servers[0].InFlight = 0 // the last one ends behind its answer
	if want := []UpstreamStats{{"up", []ServerStats{{up, true, 0}}}}; !cmp.Equal(s.Upstreams, want) {
		t.Errorf("upstreams %+v, want %+v", s.Upstreams, want)
	}
	var day, none Stats
	r.api("stats?history=day", &day)
	r.api("stats?history=none", &none)
	if day.History.Step != 60 || none.History != nil {
		t.Errorf("histories: %+v, %+v", day.History, none.History)
	}
	r.checkRoutes()
	r.checkRequests()
}

func (r *running) checkRoutes() {
	r.t.Helper()
	var got struct{ Routes []RouteStats }
	r.api("routes", &got)
	one := func(result string, saved int64) Counts {
		return Counts{1, map[string]int64{result: 1}, 10, saved}
	}
	both := Counts{2, map[string]int64{"hit": 1, "miss": 1}, 20, 10}
	want := []RouteStats{
		{"*/", "up", "own: partners", Counts{4, results(map[string]int64{"hit": 1, "miss": 3}), 40, 10},
			[]OriginStats{{originApp, both}, {"", one("miss", 0)}, {"(others)", one("miss", 0)}}, true},
		{"*/pass/", "up", "pass", Counts{1, results(map[string]int64{"miss": 1}), 10, 0}, []OriginStats{{"", one("miss", 0)}}, false},
	}
	if d := cmp.Diff(want, got.Routes, cmp.AllowUnexported(OriginStats{}, RouteStats{})); d != "" {
		r.t.Errorf("routes (-want +got):\n%s", d)
	}
}

func (r *running) checkRequests() {
	r.t.Helper()
	var got struct {
		Requests []requestJSON
		LeftOut  int64 `json:"left_out"`
	}
	r.api("requests?limit=4", &got)
	if len(got.Requests) != 4 || got.LeftOut != 0 {
		r.t.Fatalf("%d requests, %d left out", len(got.Requests), got.LeftOut)
	}
	var reasons []string
	for _, q := range got.Requests {
		reasons = append(reasons, q.Result+" "+q.Reason)
	}
	if want := []string{"miss ", "miss private", "miss ", "hit "}; !cmp.Equal(reasons, want) {
		r.t.Errorf("%q, want %q", reasons, want)
	}
	q := got.Requests[1]
	if q.URL != "http://"+r.Addrs()[0].String()+"/private?token=REDACTED&x=1" || q.Origin != "https://stranger.example" || q.Status != 200 || q.Stored ||
		!strings.Contains(q.Why, "private") || q.Remedy == "" || q.Section == "" || q.Route != "*/" {
		r.t.Errorf("the private one: %+v", q)
	}
}

// The list of what is stored goes by pages, and what it shows can be purged.
func TestAPIObjects(t *testing.T) {
	up := upstreamOf(t, page("Cache-Control: max-age=60", "Content-Type: text/plain", "Surrogate-Key: all", "Vary: Accept-Language, X-Token"))
	r := run(t, testConfig(t, up, nil))
	base := "http://" + r.Addrs()[0].String()
	for _, path := range []string{"/b", "/a/1?x=y", "/a/2", "/c"} {
		r.get(path, "Origin: "+originApp, "Accept-Language: de", "X-Token: geheim")
	}
	type list struct {
		Objects []objectJSON
		Next    string
		Total   int
	}
	var urls []string
	for next := ""; ; {
		var l list
		r.api("objects?limit=3&after="+next, &l)
		for _, o := range l.Objects {
			urls = append(urls, strings.TrimPrefix(o.URL, base))
		}
		if next = l.Next; next == "" {
			break
		}
	}
	if want := []string{"/a/1?x=y", "/a/2", "/b", "/c"}; !cmp.Equal(urls, want) {
		t.Errorf("listed are %q, want %q", urls, want)
	}
	r.purge(`{"url":"` + base + `/a/1?x=y"}`)
	var l list
	r.api("objects?prefix="+url.QueryEscape(base+"/a/"), &l)
	if len(l.Objects) != 2 || l.Total != 4 || !l.Objects[0].Purged || l.Objects[0].TTL >= 0 || l.Objects[1].Purged {
		t.Fatalf("with a prefix: %+v", l)
	}
	o := l.Objects[1]
	o.Age, o.TTL = 0, 0
	want := objectJSON{
		URL: base + "/a/2", Method: "GET", Origin: originApp, Vary: [][2]string{{"Accept-Language", "de"}, {"X-Token", "(hidden)"}},
		Status: 200, Bytes: int64(len("answer 3")), Type: "text/plain", Tags: []string{"all"},
	}
	if d := cmp.Diff(want, o); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// The try-out asks the proxy itself: each origin gets its own fields, from one
// policy, and the second time from the store.
func TestAPICORSTry(t *testing.T) {
	r := run(t, testConfig(t, upstreamOf(t, page("Cache-Control: max-age=60")), nil))
	post := func(body string) (int, string) {
		res, err := r.client.Post("http://"+r.AdminAddr().String()+"/api/cors-try", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		return res.StatusCode, readAll(t, res.Body)
	}
	ask := `{"url":"http://` + r.Addrs()[0].String() + `/x","origins":["` + originApp + `","https://stranger.example"]}`
	for _, cached := range []string{"stored", "hit"} {
		status, text := post(ask)
		var got struct {
			Answers []struct {
				Status   int
				Fields   [][2]string
				Readable bool
			}
		}
		if err := json.Unmarshal([]byte(text), &got); err != nil || status != http.StatusOK || len(got.Answers) != 2 {
			t.Fatalf("%d %s: %v", status, text, err)
		}
		for i, readable := range []bool{true, false} {
			if a := got.Answers[i]; a.Status != 200 || a.Readable != readable || !strings.Contains(text, cached) {
				t.Errorf("answer %d: %+v, want readable %t and %q in %s", i, a, readable, cached, text)
			}
		}
		if n := strings.Count(text, `["Access-Control-Allow-Origin","`+originApp+`"]`); n != 1 {
			t.Errorf("%d answers have the origin: %s", n, text)
		}
	}
}

// What cannot be answered is a 400 that says what is wrong.
func TestAPIBadQuestions(t *testing.T) {
	r := run(t, testConfig(t, upstreamOf(t, page()), nil))
	for path, want := range map[string]string{
		"stats?history=year": "history is",
		"requests?limit=0":   "limit is",
		"requests?limit=all": "limit is",
		"objects?limit=1001": "limit is",
		"objects?after=!":    "after is not",
		"objects?prefix=/x":  "cannot list: the prefix",
	} {
		res, text := r.ask(http.MethodGet, "http://"+r.AdminAddr().String()+"/api/"+path)
		if res.StatusCode != http.StatusBadRequest || !strings.Contains(text, want) {
			t.Errorf("%s: %d %s, want %q", path, res.StatusCode, text, want)
		}
	}
	res, err := r.client.Post("http://"+r.AdminAddr().String()+"/api/cors-try", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text := readAll(t, res.Body); res.StatusCode != http.StatusBadRequest || !strings.Contains(text, "cannot try") {
		t.Errorf("%d %s", res.StatusCode, text)
	}
}
