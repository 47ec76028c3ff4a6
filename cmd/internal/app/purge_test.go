package app

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"veneer/cache"
	"veneer/cache/key"
	"veneer/cmd/internal/config"
)

// purge sends a body to the admin API.
func (r *running) purge(body string) (status int, text string) {
	r.t.Helper()
	res, err := r.client.Post("http://"+r.AdminAddr().String()+"/api/purge", "application/json", strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return res.StatusCode, strings.TrimSpace(string(b))
}

// A purge finds what is stored under every origin and variant, by the URL as a
// client writes it, however its route keys that.
func TestPurge(t *testing.T) {
	up := upstreamOf(t, page("Cache-Control: max-age=60", "Surrogate-Key: article-1 all", "Vary: Accept-Language"))
	r := run(t, testConfig(t, up, func(c *config.Config) {
		sorted := c.Routes[0]
		sorted.Path = "/sorted/"
		sorted.Cache.Key.Query = key.Query{Sort: true, Ignore: []string{"utm_*"}}
		c.Routes = append(c.Routes, sorted)
	}))
	base := "http://" + r.Addrs()[0].String()
	paths := []string{"/a", "/a/b", "/sorted/x?b=2&a=1&utm_source=mail", "/sorted/y?token=secret"}
	fill := func() {
		for _, path := range paths {
			for _, fields := range [][]string{nil, {"Origin: " + originApp}, {"Accept-Language: de"}} {
				r.get(path, fields...)
			}
		}
	}
	for _, c := range []struct{ body, want string }{
		{`{"url":"` + base + `/a"}`, `{"kind":"url","hard":false,"touched":3}`},
		{`{"url":"` + base + `/sorted/x?utm_medium=x&a=1&b=2","hard":true}`, `{"kind":"url","hard":true,"touched":3}`},
		{`{"url":"` + base + `/sorted/x?b=2&a=1"}`, `{"kind":"url","hard":false,"touched":3}`},
		{`{"url":"` + base + `/b?x"}`, `{"kind":"url","hard":false,"touched":0}`},
		{`{"prefix":"` + base + `/a","hard":true}`, `{"kind":"prefix","hard":true,"touched":6}`},
		{`{"prefix":"` + base + `/sorted/y?token="}`, `{"kind":"prefix","hard":false,"touched":3}`},
		{`{"prefix":"` + base + `"}`, `{"kind":"prefix","hard":false,"touched":12}`},
		{`{"tag":"article-1"}`, `{"kind":"tag","hard":false,"touched":12}`},
		{`{"tag":"article"}`, `{"kind":"tag","hard":false,"touched":0}`},
		{`{"all":true,"hard":false}`, `{"kind":"all","hard":false,"touched":12}`},
		{`{"all":true,"hard":true}`, `{"kind":"all","hard":true,"touched":12}`},
	} {
		fill()
		if status, text := r.purge(c.body); status != http.StatusOK || text != c.want {
			t.Errorf("%s: got %d %s, want %s", c.body, status, text, c.want)
		}
	}
	want := `veneer_purges_total{kind="all"} 2
veneer_purges_total{kind="prefix"} 3
veneer_purges_total{kind="tag"} 2
veneer_purges_total{kind="url"} 4
`
	if diff := cmp.Diff(want, r.metrics("veneer_purges_total")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if log := r.log.String(); strings.Count(log, "msg=purged") != 11 || strings.Contains(log, "token") || strings.Contains(log, "utm_") || !strings.Contains(log, `of=article-1 hard=false touched=12`) {
		t.Errorf("the log:\n%s", log)
	}
}

// badPurges are bodies, and what is said about them.
var badPurges = map[string]string{
	``:                             `the body is no such order`,
	`{"url":1}`:                    `the body is no such order`,
	`{"uri":"http://a/"}`:          `unknown field "uri"`,
	`{"all":true}{"all":true}`:     `something follows the order`,
	`{}`:                           `0 of url, prefix, tag and all are given`,
	`{"all":false}`:                `0 of url, prefix, tag and all are given`,
	`{"all":true,"tag":"a"}`:       `2 of url, prefix, tag and all are given`,
	`{"tag":""}`:                   `"" is no tag`,
	`{"tag":" a"}`:                 `" a" is no tag`,
	`{"url":"/a"}`:                 `the url "/a" has no scheme and host`,
	`{"prefix":"/img/"}`:           `the prefix "/img/" has no scheme and host: what is stored is known by both; write it whole, such as https://www.example.com/news/`,
	`{"prefix":"a.example/"}`:      `has no scheme and host`,
	`{"url":"ftp://a/"}`:           `has no scheme and host`,
	`{"url":"http://u:p@a/"}`:      `has a user name`,
	`{"url":"http://a/#x"}`:        `has a fragment`,
	`{"url":"http://a/ b"}`:        `has a space`,
	`{"prefix":"http://a/%2"}`:     `cannot be read: invalid URL escape`,
	`{"url":"http://a_b$/?s=hid"}`: `cannot`,
	`{"url":"http://a/` + strings.Repeat("a", maxPurgeURL) + `"}`: `are the most`,
}

func TestBadPurges(t *testing.T) {
	r := run(t, testConfig(t, upstreamOf(t, page()), nil))
	for body, want := range badPurges {
		status, text := r.purge(body)
		var p struct{ Type, Detail string }
		if err := json.Unmarshal([]byte(text), &p); err != nil || status != http.StatusBadRequest || p.Type != "urn:veneer:problem:bad-purge" ||
			!strings.HasPrefix(p.Detail, "cannot purge: ") || !strings.Contains(p.Detail, want) || strings.Contains(p.Detail, "hid") {
			t.Errorf("%.100s: got %d %s, want %s", body, status, text, want)
		}
	}
	r.store.Close()
	if status, text := r.purge(`{"all":true}`); status != http.StatusServiceUnavailable || !strings.Contains(text, "purge-failed") {
		t.Errorf("of a store that is closed: got %d %s", status, text)
	}
	if got := r.metrics("veneer_purges_total{kind=\"all\"}"); got != "veneer_purges_total{kind=\"all\"} 0\n" {
		t.Errorf("what failed is counted: %s", got)
	}
}

// noRoutes finds none.
type noRoutes struct{}

func (noRoutes) Lookup(string, string) (*cache.Route, bool) { return nil, false }

// Whatever the body is, it is an order that is carried out or an error that
// says so, and an order that is written down again is the same.
func FuzzParsePurge(f *testing.F) {
	for body := range badPurges {
		f.Add([]byte(body))
	}
	for _, body := range []string{`{"url":"http://a.example/b?c"}`, `{"prefix":"https://a.example/b?","hard":true}`, `{"tag":"t"}`, `{"all":true}`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := parsePurge(body)
		var purges []cache.Purge
		if err == nil {
			purges, err = o.purges(noRoutes{}, time.Unix(1, 0))
		}
		if err != nil {
			if !strings.HasPrefix(err.Error(), "cannot purge: ") {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		again := map[string]any{o.kind.String(): o.tag, "hard": o.hard}
		switch {
		case o.kind == cache.PurgeAll:
			again["all"] = true
		case o.url != nil:
			again[o.kind.String()] = o.url.String()
		}
		text, err := json.Marshal(again)
		if err != nil {
			t.Fatal(err)
		}
		o2, err := parsePurge(text)
		if err != nil {
			t.Fatalf("%q, and again %q: %v", body, text, err)
		}
		purges2, err := o2.purges(noRoutes{}, time.Unix(1, 0))
		if err != nil || len(purges) != 1 || len(purges2) != 1 || purges[0] != purges2[0] {
			t.Fatalf("%q: %+v, and again %q: %+v, %v", body, purges, text, purges2, err)
		}
	})
}
