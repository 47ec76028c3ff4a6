package cache_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"veneer/cache"
)

// TestThirdPartyInvalidates: what the response to an unsafe method names is
// removed (RFC 9111 §4.4), on other routes too where the upstream is the
// operator's own.
func TestThirdPartyInvalidates(t *testing.T) {
	paths := []string{"/weather/x", "/weather/y", "/own/a"}
	for _, c := range []struct {
		name    string
		third   bool
		field   string
		names   string
		removed []string
	}{
		{"own, elsewhere", false, "Location", "/own/a", []string{"/weather/x", "/own/a"}},
		{"third party, elsewhere", true, "Location", "/own/a", []string{"/weather/x"}},
		{"third party, elsewhere by its content", true, "Content-Location", "/own/a", []string{"/weather/x"}},
		{"third party, elsewhere in full", true, "Location", "http://site.example/own/a", []string{"/weather/x"}},
		{"third party, on its route", true, "Location", "/weather/y", []string{"/weather/x", "/weather/y"}},
		{"third party, nothing", true, "X-Other", "/own/a", []string{"/weather/x"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var route *cache.Route
			run(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Cache-Control", "max-age=60")
				if r.Method == http.MethodPost {
					w.Header().Set(c.field, c.names)
				}
				io.WriteString(w, r.URL.Path)
			}, func(x *tier) {
				weather, rest := *route, *route
				weather.ThirdParty, rest.Name = c.third, "rest"
				x.engine.Swap(&cache.Plan{Router: byPrefix{"/weather/": &weather, "/own/": &rest}})
				for _, path := range paths {
					wantBody(t, x.get(path), path)
				}
				synctest.Wait()
				x.do("POST", "/weather/x", strings.NewReader("a"))
				var removed []string
				for _, path := range paths {
					if a := x.get(path); !strings.HasPrefix(a.status(), "veneer; hit") {
						removed = append(removed, path)
					}
				}
				if diff := cmp.Diff(c.removed, removed); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			}, func(r *cache.Route) { route = r })
		})
	}
}

// once is an upstream whose answers hold for one request only.
type once struct{ http.RoundTripper }

func (u once) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := u.RoundTripper.RoundTrip(r)
	if err == nil {
		res.Body = forOne{res.Body}
	}
	return res, err
}

type forOne struct{ io.ReadCloser }

func (forOne) NotStored() string { return "redirect-followed" }

// A response that its RoundTripper says must not be stored is not, whatever its
// fields say, and Cache-Status has the reason.
func TestUpstreamForbidsToStore(t *testing.T) {
	run(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=60")
		io.WriteString(w, "page")
	}, func(x *tier) {
		for range 2 {
			a := x.get("/page")
			wantBody(t, a, "page")
			if got := a.Header.Get("Cache-Status"); strings.Contains(got, "hit;") || strings.Contains(got, "stored") {
				t.Errorf("Cache-Status: %s", got)
			}
		}
		if a := x.get("/first"); !strings.Contains(a.Header.Get("Cache-Status"), "detail=redirect-followed") {
			t.Errorf("Cache-Status: %s", a.Header.Get("Cache-Status"))
		}
	}, func(r *cache.Route) { r.Upstream = once{r.Upstream} })
}
