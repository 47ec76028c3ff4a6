package corslayer

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ask makes a request; an empty method or nil headers leave the field out.
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

// verdictCases: what is refused, and over what.
var verdictCases = []struct {
	name string
	ask  *http.Request
	want Verdict
	text string
}{
	{"granted", ask(app, "PUT", "content-type"), Verdict{Step: Granted}, "granted"},
	{"origin", ask(stranger, "PUT", "x-other"), Verdict{}, "the policy does not let the origin in"},
	{"method", ask(app, "put", "x-other"), Verdict{RefusedMethod, "put"}, `the policy does not allow the method "put"`},
	{"methods", ask(app, "", "x-other"), Verdict{RefusedMethod, "more than one"}, `the policy does not allow the method "more than one"`},
	{"header", ask(app, "PUT", "content-type, x\x1b[2J\u00e9"), Verdict{RefusedHeader, "x\x1b[2J\u00e9"}, `the policy does not allow the request field "x\x1b[2J\u00e9"`},
	{"long header", ask(app, "PUT", strings.Repeat("a", 300)), Verdict{RefusedHeader, strings.Repeat("a", 300)},
		`the policy does not allow the request field "` + strings.Repeat("a", 32) + `"…`},
	{"too large", ask(app, "PUT", strings.Repeat("a", 9000)), Verdict{Step: RefusedSize}, "the preflight asks for more than 64 request fields, or in more than 8 KiB"},
	{"too many", ask(app, "PUT", strings.Repeat("range,", 65)), Verdict{Step: RefusedSize}, "the preflight asks for more than 64 request fields, or in more than 8 KiB"},
}

func TestVerdict(t *testing.T) {
	p := compile(t, partner)
	for _, c := range verdictCases {
		if c.name == "methods" {
			c.ask.Header[fieldRequestMethod] = []string{"GET", "PUT"}
		}
		v, ok := p.JudgePreflight(c.ask, p.Judge(c.ask.Method, c.ask.Header[fieldOrigin]))
		if diff := cmp.Diff(c.want, v); diff != "" || !ok || v.String() != c.text || len(v.String()) > 200 {
			t.Errorf("%s: %v, %s (-want +got):\n%s", c.name, ok, v, diff)
		}
	}
	for name, want := range map[string]bool{"PUT": true, "": false} {
		r := ask(app, name)
		for step, p := range map[Step]*Policy{Granted: Pass(Config{}), RefusedOrigin: Off()} {
			v, ok := p.JudgePreflight(r, p.Judge(r.Method, r.Header[fieldOrigin]))
			if ok != want || want && v.Step != step {
				t.Errorf("%v, method %q: %v, %v", p.Mode(), name, v, ok)
			}
		}
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
		want, names := len(text) <= maxAskedBytes, 0
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
		got := p.checkHeaders(lines, &a) == Granted
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
