package doctor

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReceive(t *testing.T) {
	x := &Exchange{}
	x.receive(http.Header{
		"Access-Control-Allow-Origin": {"https://b.example", "https://a.example"},
		"Access-Control-Allow-Yet":    {"unknown"},
		"Etag":                        {`W/"1"`},
		"Cf-Cache-Status":             {"HIT"},
		"Location":                    {"/login?token=secret#top"},
		"Set-Cookie":                  {"session=secret"},
		"Www-Authenticate":            {`Basic realm="secret"`},
		"X-Api-Key":                   {"secret"},
		"Vary":                        {"\x1b[31mOrigin\x7f", strings.Repeat("ä", 1000)},
	})
	want := []Field{
		{"Access-Control-Allow-Origin", "https://b.example"},
		{"Access-Control-Allow-Origin", "https://a.example"},
		{"Access-Control-Allow-Yet", "unknown"},
		{"Cf-Cache-Status", "HIT"},
		{"ETag", `W/"1"`},
		{"Location", "/login?…"},
		{"Vary", "?[31mOrigin?"},
		{"Vary", strings.Repeat("ä", 512)},
	}
	if diff := cmp.Diff(want, x.Received); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func received(lines ...string) *Exchange {
	x := &Exchange{Status: http.StatusOK, Sent: []Field{{fieldOrigin, originA}}}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		x.Received = append(x.Received, Field{name, value})
	}
	return x
}

func TestFromCache(t *testing.T) {
	for line, want := range map[string]bool{
		"Age: 0":                           false,
		"Age: 12":                          true,
		"Age: soon":                        false,
		"Cache-Status: veneer; hit; ttl=5": true,
		"Cache-Status: veneer; fwd=uri-miss; stored":        false,
		"Cache-Status: veneer;fwd=miss, edge;hit":           true,
		"Cache-Status: hit; fwd=miss":                       false, // a cache of that name
		"X-Cache: Hit from cloudfront":                      true,
		"X-Cache: RefreshHit from cloudfront":               true,
		"X-Cache: Miss from cloudfront":                     false,
		"X-Cache: MISS, HIT":                                true,
		"X-Cache-Status: HIT":                               true,
		"Cf-Cache-Status: HIT":                              true,
		"Cf-Cache-Status: DYNAMIC":                          false,
		"Access-Control-Expose-Headers: X-Cache-Status-Hit": false,
	} {
		if got := received(line).fromCache(); got != want {
			t.Errorf("%s: got %v", line, got)
		}
	}
}

// TestCORSCheck compares with Fetch, "CORS check", without credentials.
func TestCORSCheck(t *testing.T) {
	for _, c := range []struct {
		lines             []string
		allows, reflected bool
	}{
		{nil, false, false},
		{[]string{originA}, true, true},
		{[]string{"*"}, true, false},
		{[]string{originB}, false, false},
		{[]string{originA, originA}, false, false},
		{[]string{originA + ", " + originA}, false, false},
		{[]string{"*", "*"}, false, false},
		{[]string{strings.ToUpper(originA)}, false, false},
		{[]string{originA + "/"}, false, false},
		{[]string{"null"}, false, false},
		{[]string{""}, false, false},
	} {
		x := received()
		for _, line := range c.lines {
			x.Received = append(x.Received, Field{fieldAllowOrigin, line})
		}
		if x.allows() != c.allows || x.reflects() != c.reflected {
			t.Errorf("%q: allows %v, reflects %v", c.lines, x.allows(), x.reflects())
		}
	}
	none := &Exchange{Status: http.StatusOK}
	if none.allows() || none.reflects() {
		t.Error("no field lets no Origin in")
	}
}

func TestVariesOnOrigin(t *testing.T) {
	for _, c := range []struct {
		lines []string
		want  bool
	}{
		{nil, false},
		{[]string{"Vary: Accept-Encoding"}, false},
		{[]string{"Vary: Accept-Encoding, ORIGIN"}, true},
		{[]string{"Vary: Accept-Encoding", "Vary: origin"}, true},
		{[]string{"Vary: *"}, true},
		{[]string{"Vary: X-Origin, , Origin-Too"}, false},
	} {
		if got := received(c.lines...).variesOnOrigin(); got != c.want {
			t.Errorf("%q: got %v", c.lines, got)
		}
	}
}

func TestRedirects(t *testing.T) {
	for status, want := range map[int]bool{0: false, 200: false, 300: false, 301: true, 302: true, 303: true, 304: false, 305: false, 307: true, 308: true, 404: false} {
		if got := (&Exchange{Status: status}).redirects(); got != want {
			t.Errorf("%d: got %v", status, got)
		}
	}
}

// TestNobody: the checks ask exchanges that were never sent.
func TestNobody(t *testing.T) {
	var x *Exchange
	if x.answered() || x.good() || x.failed() || x.redirects() || x.allows() || x.reflects() || x.fromCache() || x.variesOnOrigin() ||
		x.origin() != "" || x.allowOrigin() != "" || x.list(fieldVary) != nil {
		t.Error("nobody has said something")
	}
}
