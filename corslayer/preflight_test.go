package corslayer

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ask makes a request; an empty method or nil headers leave the field out.
func ask(origin, method string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodOptions, "/", nil)
	if origin != "" {
		r.Header[fieldOrigin] = []string{origin}
	}
	if method != "" {
		r.Header[fieldRequestMethod] = []string{method}
	}
	if headers != nil {
		r.Header[fieldRequestHeaders] = headers
	}
	return r
}

type answer struct {
	Status int
	Header http.Header
}

// fields returns a preflight's fields, with Cache-Control: no-store.
func fields(pairs ...string) http.Header {
	h := http.Header{fieldCacheControl: {"no-store"}}
	for i := 0; i < len(pairs); i += 2 {
		h[pairs[i]] = []string{pairs[i+1]}
	}
	return h
}

const varyAll = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"

func granting(origin string, more ...string) http.Header {
	h := fields(fieldAllowOrigin, origin, fieldAllowCredentials, "true", fieldAllowMethods, "GET, POST, PUT, DELETE",
		fieldAllowHeaders, "Content-Type, Authorization", fieldMaxAge, "7200", fieldVary, varyAll)
	maps.Copy(h, fields(more...))
	return h
}

var preflightCases = []struct {
	name   string
	config Config
	ask    *http.Request
	want   *answer // nil: not answered here
}{
	{"P1 allowed", partner, ask(app, "PUT", "content-type"), &answer{204, granting(app)}},
	{"P1 by pattern", partner, ask(shop, "GET"), &answer{204, granting(shop)}},
	{"P5 the seed's curl lines", partner, ask(app, "POST", "Content-Type, Authorization"), &answer{204, granting(app)}},
	{"P5 the seed's other curl line", partner, ask(app, "GET", "Authorization"), &answer{204, granting(app)}},
	{"P5 any order, duplicates, white space, empty elements, lines", partner,
		ask(app, "PUT", ",authorization ,\t, CONTENT-TYPE", "", "content-type,"), &answer{204, granting(app)}},
	{"P5 64 names", partner, ask(app, "PUT", strings.Repeat("authorization,", 64)), &answer{204, granting(app)}},
	{"P5 65 names", partner, ask(app, "PUT", strings.Repeat("authorization,", 65)), &answer{403, fields(fieldVary, varyAll)}},
	{"P5 8 KiB", partner, ask(app, "PUT", strings.Repeat(",", 8191)), &answer{204, granting(app)}},
	{"P5 above 8 KiB", partner, ask(app, "PUT", strings.Repeat(",", 4096), strings.Repeat(",", 4096)), &answer{403, fields(fieldVary, varyAll)}},
	{"P5 no token", partner, ask(app, "PUT", "content-type authorization"), &answer{403, fields(fieldVary, varyAll)}},
	{"P5 a long name", partner, ask(app, "PUT", strings.Repeat("a", 4000)), &answer{403, fields(fieldVary, varyAll)}},
	{"P5 method is case-sensitive", partner, ask(app, "put"), &answer{403, fields(fieldVary, varyAll)}},
	{"P2 origin refused", partner, ask(stranger, "GET"), &answer{403, fields(fieldVary, varyAll)}},
	{"P2 null refused", partner, ask("null", "GET"), &answer{403, fields(fieldVary, varyAll)}},
	{"P2 bad refused", partner, ask(app+"/", "GET"), &answer{403, fields(fieldVary, varyAll)}},
	{"P2 method refused", partner, ask(app, "PATCH"), &answer{403, fields(fieldVary, varyAll)}},
	{"P2 header refused", partner, ask(app, "PUT", "x-other"), &answer{403, fields(fieldVary, varyAll)}},
	{"P2 static refuses too", static, ask(stranger, "GET"), &answer{403, fields(fieldVary, varyAll)}},
	{"P2 debug, origin", with(partner, func(c *Config) { c.Debug = true }), ask(stranger, "GET"), &answer{204, fields(fieldVary, varyAll)}},
	{"P2 debug, method", with(partner, func(c *Config) { c.Debug = true }), ask(app, "PATCH"),
		&answer{204, fields(fieldVary, varyAll, fieldAllowOrigin, app, fieldAllowCredentials, "true")}},
	{"P2 debug, header", with(partner, func(c *Config) { c.Debug = true }), ask(app, "PUT", "x-other"),
		&answer{204, fields(fieldVary, varyAll, fieldAllowOrigin, app, fieldAllowCredentials, "true", fieldAllowMethods, "GET, POST, PUT, DELETE")}},
	{"HEAD comes with GET", partner, ask(app, "HEAD"), &answer{204, granting(app)}},
	{"E6 range is always allowed", partner, ask(app, "GET", "range"), &answer{204, granting(app, fieldAllowHeaders, "Content-Type, Authorization, Range")}},
	{"E6 range without a list", static, ask(app, "GET", "Range"), &answer{204, fields(fieldAllowOrigin, app, fieldAllowCredentials, "true",
		fieldAllowMethods, "GET, HEAD, POST", fieldAllowHeaders, "Range", fieldMaxAge, "7200", fieldVary, varyAll)}},
	{"defaults", static, ask(app, "POST"), &answer{204, fields(fieldAllowOrigin, app, fieldAllowCredentials, "true",
		fieldAllowMethods, "GET, HEAD, POST", fieldMaxAge, "7200", fieldVary, varyAll)}},
	{"P3 minimal", with(partner, func(c *Config) { c.MinimalPreflight = true }), ask(app, "PUT", "content-type"),
		&answer{204, granting(app, fieldAllowMethods, "PUT", fieldAllowHeaders, "content-type")}},
	{"P3 minimal, several lines", with(partner, func(c *Config) { c.MinimalPreflight = true }), ask(app, "PUT", "content-type,,", "authorization"),
		&answer{204, granting(app, fieldAllowMethods, "PUT", fieldAllowHeaders, "content-type, authorization")}},
	{"P4 * without credentials", anybody, ask(stranger, "PROPFIND", "x-any, authorization"), &answer{204, fields(fieldAllowOrigin, "*",
		fieldAllowMethods, "*", fieldAllowHeaders, "*, Authorization", fieldMaxAge, "7200", fieldVary, fieldRequestMethod)}},
	{"P4 no * with credentials", with(partner, func(c *Config) { c.Methods, c.Headers = []string{"*"}, []string{"*"} }), ask(app, "PROPFIND", "x-any"),
		&answer{204, granting(app, fieldAllowMethods, "PROPFIND", fieldAllowHeaders, "x-any")}},
	{"P4 * and no token", anybody, ask(app, "GET", "x any"), &answer{403, fields(fieldVary, fieldRequestMethod)}},
	{"P7 for CDNs", with(partner, func(c *Config) { c.CDNMaxAge = 60e9 }), ask(app, "GET"), &answer{204, granting(app, fieldCacheControl, "public, max-age=60")}},
	{"P7 no refusal for CDNs", with(partner, func(c *Config) { c.CDNMaxAge = 60e9 }), ask(stranger, "GET"), &answer{403, fields(fieldVary, varyAll)}},
	{"P8 no max-age", with(partner, func(c *Config) { c.MaxAge = seconds(0) }), ask(app, "GET"), &answer{204, granting(app, fieldMaxAge, "0")}},
	{"P8 cache off", with(partner, func(c *Config) { c.MaxAge = seconds(-1) }), ask(app, "GET"), &answer{204, granting(app, fieldMaxAge, "-1")}},
	{"C3 null allowed", nulls, ask("null", "GET"), &answer{204, fields(fieldAllowOrigin, "null", fieldAllowMethods, "GET, HEAD, POST", fieldMaxAge, "7200", fieldVary, varyAll)}},
	{"C4 no Origin", partner, ask("", "GET"), nil},
	{"C4 no method asked", partner, ask(app, ""), nil},
	{"A1 pass", Config{Mode: ModePass}, ask(app, "GET"), nil},
	{"off refuses", Config{Mode: ModeOff}, ask(app, "GET"), &answer{403, fields()}},
	{"off, not a preflight", Config{Mode: ModeOff}, ask(app, ""), nil},
}

func TestPreflight(t *testing.T) {
	for _, c := range preflightCases {
		t.Run(c.name, func(t *testing.T) {
			p := compile(t, c.config)
			w := httptest.NewRecorder()
			answered := p.Preflight(w, c.ask, p.Decide(http.MethodOptions, c.ask.Header[fieldOrigin]))
			want := answer{200, http.Header{}} // the recorder's, untouched
			if c.want != nil {
				want = *c.want
			}
			if diff := cmp.Diff(want, answer{w.Code, w.Header()}); diff != "" || answered != (c.want != nil) || w.Body.Len() > 0 {
				t.Errorf("answered %v, %d bytes (-want +got):\n%s", answered, w.Body.Len(), diff)
			}
		})
	}
}

func TestC4OnlyOptions(t *testing.T) {
	p := compile(t, partner)
	r := ask(app, "GET")
	for _, method := range []string{"GET", "POST", "options"} {
		r.Method = method
		if p.Preflight(httptest.NewRecorder(), r, p.Decide(method, r.Header[fieldOrigin])) {
			t.Errorf("%s was taken for a preflight", method)
		}
	}
	r.Method = http.MethodOptions
	r.Header[fieldRequestMethod] = []string{""}
	if p.Preflight(httptest.NewRecorder(), r, p.Decide(r.Method, r.Header[fieldOrigin])) {
		t.Error("an empty Access-Control-Request-Method was taken for a preflight")
	}
	r.Header[fieldRequestMethod] = []string{"GET", "PUT"}
	w := httptest.NewRecorder()
	if !p.Preflight(w, r, p.Decide(r.Method, r.Header[fieldOrigin])) || w.Code != http.StatusForbidden {
		t.Errorf("two methods: %d", w.Code)
	}
}

func TestPreflightCounts(t *testing.T) {
	p := compile(t, partner)
	for _, r := range []*http.Request{ask(app, "GET"), ask(stranger, "GET"), ask(app, "PATCH"), ask(app, "GET", "x-other")} {
		p.Preflight(httptest.NewRecorder(), r, p.Decide(r.Method, r.Header[fieldOrigin]))
	}
	want := Counts{Allowed: 3, Refused: 1, PreflightOK: 1, PreflightRefusedOrigin: 1, PreflightRefusedMethod: 1, PreflightRefusedHeader: 1}
	if diff := cmp.Diff(want, p.Counts()); diff != "" {
		t.Error(diff)
	}
}

// The parser agrees with a plain one, and a name is never allowed by it that
// the policy does not list.
func FuzzRequestHeaders(f *testing.F) {
	for _, c := range preflightCases {
		lines := c.ask.Header[fieldRequestHeaders]
		f.Add(strings.Join(lines, "\n"))
	}
	p := compile(f, partner)
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Split(text, "\n")
		want, names := len(text)+1 <= maxAskedBytes, 0
		for name := range strings.SplitSeq(strings.Join(lines, ","), ",") {
			if name = strings.Trim(name, " \t"); name == "" {
				continue
			}
			names++
			lower := strings.ToLower(name)
			want = want && (lower == "content-type" || lower == "authorization" || lower == "range") && isToken(name)
		}
		want = want && names <= maxAskedNames
		var a asked
		got := p.headersAllowed(lines, &a)
		if got != want {
			t.Fatalf("%q: got %v, want %v", lines, got, want)
		}
		if got && names > 0 {
			echoed := a.echo(lines)
			if len(echoed) != 1 || cap(echoed) != 1 || strings.Count(echoed[0], ",") != names-1 {
				t.Errorf("%q echoed as %q", lines, echoed)
			}
		}
	})
}
