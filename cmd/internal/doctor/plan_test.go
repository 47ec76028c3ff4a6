package doctor

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sent is what a server got of a run, a request a line: name, method, path,
// and Origin with what a preflight asks for.
func sent(t *testing.T, rep *Report) string {
	t.Helper()
	var b strings.Builder
	for _, x := range rep.Exchanges {
		line := x.Name + " " + x.Method + " " + pathOf(x.URL)
		for _, f := range x.Sent {
			line += " " + f.Value
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

func examineHandler(t *testing.T, h http.Handler, change func(*Options)) *Report {
	t.Helper()
	o := Options{URL: "https://api.example.com/users", Origins: []string{originA, originB}, Method: "PUT", Headers: []string{"X-Id", "Content-Type"}, Transport: direct{h}}
	if change != nil {
		change(&o)
	}
	s, err := o.compile()
	if err != nil {
		t.Fatal(err)
	}
	rep, err := examine(t.Context(), s, o, "N")
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// TestPlan: the order is what finds the faults.
func TestPlan(t *testing.T) {
	const want = `plain GET /users https://app.example.com
first-a GET /users?veneer-doctor=N-1 https://app.example.com
again-a GET /users?veneer-doctor=N-1 https://app.example.com
then-b GET /users?veneer-doctor=N-1 https://partner.example.com
revalidate GET /users?veneer-doctor=N-1 https://partner.example.com "v1"
head HEAD /users?veneer-doctor=N-1 https://app.example.com
none-first GET /users?veneer-doctor=N-3
none-then-a GET /users?veneer-doctor=N-3 https://app.example.com
stranger-first GET /users?veneer-doctor=N-4 https://veneer-doctor.invalid
stranger-then-a GET /users?veneer-doctor=N-4 https://app.example.com
null GET /users?veneer-doctor=N-5 null
suffixed GET /users?veneer-doctor=N-6 https://app.example.com.evil.invalid
prefixed GET /users?veneer-doctor=N-7 https://evilapp.example.com
dotless GET /users?veneer-doctor=N-8 https://appxexample.com
insecure GET /users?veneer-doctor=N-9 http://app.example.com
other-port GET /users?veneer-doctor=N-12 https://app.example.com:8443
preflight-a OPTIONS /users https://app.example.com PUT content-type,x-id
preflight-b OPTIONS /users https://partner.example.com PUT content-type,x-id
preflight-capitals OPTIONS /users https://app.example.com PUT Content-Type, X-Id
preflight-stranger OPTIONS /users https://veneer-doctor.invalid PUT content-type,x-id
options OPTIONS /users https://app.example.com
error-path GET /veneer-doctor-no-such-path https://app.example.com
error-method QUERY /users https://app.example.com
slash GET /users/ https://app.example.com
follow GET /users https://app.example.com
`
	if diff := cmp.Diff(want, sent(t, examineHandler(t, goodApp(), nil))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestPlanDepends: what is sent only after something was seen.
func TestPlanDepends(t *testing.T) {
	echo := goodApp()
	echo.allow = func(o string) bool { return strings.HasSuffix(o, ".com") }
	echo.credentials = false
	elsewhere := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "https://www.example.com/users")
		w.WriteHeader(http.StatusFound)
	})
	here := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/login" {
			return
		}
		w.Header().Set("Location", "/login?from=users")
		w.WriteHeader(http.StatusFound)
	})
	onlyA := goodApp()
	onlyA.allow = func(o string) bool { return o == originA }
	for _, c := range []struct {
		name      string
		h         http.Handler
		change    func(*Options)
		has, lack []string
	}{
		{"B is let in", goodApp(), nil, nil, []string{probeColdB}},
		{"B is not let in", onlyA, nil, []string{probeColdB}, nil},
		{"one origin", goodApp(), func(o *Options) { o.Origins = o.Origins[:1] },
			[]string{probeValidate}, []string{probeThenB, probeColdB, probePreflightB}},
		{"no headers", goodApp(), func(o *Options) { o.Headers = nil }, nil, []string{probePreflightCapitals}},
		{"no lookalike", goodApp(), nil, nil, []string{probeSibling, probeGlued}},
		{"a lookalike", echo, nil, []string{probeSibling, probeGlued}, nil},
		{"http", goodApp(), func(o *Options) { o.Origins[0] = "http://localhost:3000" },
			[]string{probeSuffixed}, []string{probeInsecure, probePrefixed, probeDotless}},
		{"the root has one slash", goodApp(), func(o *Options) { o.URL = "https://api.example.com" }, nil, []string{probeSlash}},
		{"redirect to another site", elsewhere, nil, []string{probeAway}, []string{probeFollow}},
		{"redirect here", here, nil, []string{probeFollow}, []string{probeAway}},
	} {
		rep := examineHandler(t, c.h, c.change)
		for _, name := range c.has {
			if rep.exchange(name) == nil {
				t.Errorf("%s: no %s", c.name, name)
			}
		}
		for _, name := range c.lack {
			if rep.exchange(name) != nil {
				t.Errorf("%s: %s was sent", c.name, name)
			}
		}
		if n := len(rep.Exchanges); n > 28 {
			t.Errorf("%s: %d requests", c.name, n)
		}
	}
}

// TestRetryWithoutQuery: only what looks like a refusal of the query itself
// ends the use of queries.
func TestRetryWithoutQuery(t *testing.T) {
	for status, retried := range map[int]bool{200: false, 302: true, 400: true, 403: true, 404: true, 429: false, 500: false, 503: false} {
		first := true
		rep := examineHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.RawQuery != "" && first {
				first = false
				w.WriteHeader(status)
				return
			}
			goodApp().ServeHTTP(w, r)
		}), nil)
		if got := rep.exchange(probeNoUnique) != nil; got != retried {
			t.Errorf("%d: retried %v", status, got)
		}
		if got := strings.Contains(rep.exchange(probeNone).URL, "veneer-doctor="); got == retried {
			t.Errorf("%d: queries of our own: %v", status, got)
		}
	}
}

func TestNoCacheBuster(t *testing.T) {
	rep := examineHandler(t, goodApp(), func(o *Options) { o.NoCacheBuster, o.Headers = true, []string{"Content-Type"} })
	if s := sent(t, rep); strings.Contains(s, "veneer-doctor=") {
		t.Errorf("a query of our own was sent:\n%s", s)
	}
	if got := findings(rep); got != nil {
		t.Errorf("found %q", got)
	}
}

// TestRedirectedURL: a URL that redirects is judged by the redirect and by
// where it leads.
func TestRedirectedURL(t *testing.T) {
	for _, c := range []struct {
		name       string
		from, here bool // the redirect lets A in; its target does
		want       []string
	}{
		{"both", true, true, nil},
		{"the redirect does not", false, true, []string{"fault redirect-no-acao"}},
		{"the target does not", true, false, []string{"fault redirect-target"}},
	} {
		rep := examineHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Access-Control-Max-Age", "600")
			w.Header().Set("Access-Control-Allow-Methods", "PUT")
			w.Header().Set("Access-Control-Allow-Headers", "content-type, x-id")
			redirects := r.Method != http.MethodOptions && r.URL.Path != "/home"
			if redirects && c.from || !redirects && (c.here || r.Method == http.MethodOptions) {
				w.Header().Set("Access-Control-Allow-Origin", "*")
			}
			if redirects {
				w.Header().Set("Location", "/home")
				w.WriteHeader(http.StatusFound)
			}
		}), nil)
		if got := findings(rep); !slices.Equal(got, c.want) {
			t.Errorf("%s: found %q, want %q\n%s", c.name, got, c.want, text(t, rep))
		}
	}
}

// TestHTTP2: the lines of a field stay apart there too.
func TestHTTP2(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("%s", r.Proto)
		}
		w.Header()["Access-Control-Allow-Origin"] = []string{"*", "*"}
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	rep := examineServer(t, server.URL, func(o *Options) { o.Insecure, o.Method, o.Headers = true, "GET", nil })
	if got, want := findings(rep), []string{"fault double-headers", "note preflight-max-age"}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}
