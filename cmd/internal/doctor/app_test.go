package doctor

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// app is a plain application that owns its CORS. Its zero value knows no CORS;
// goodApp is right. /users is there, /users/ redirects to it, nothing else is.
type app struct {
	allow       func(origin string) bool
	credentials bool
	vary        string // always, allowed (only where somebody is let in) or never
	errors      bool   // CORS on errors too
	redirects   bool   // and on redirects
	preflight   int    // the status of a preflight; 0: OPTIONS is as any other method
	methods     string
	headers     string
	noStore     bool
}

func goodApp() app {
	return app{
		allow: func(o string) bool { return o == originA || o == originB }, credentials: true, vary: "always",
		errors: true, redirects: true, preflight: http.StatusNoContent, methods: "GET, PUT", headers: "content-type, authorization",
	}
}

func (a app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status := a.status(r)
	h := w.Header()
	if a.allow != nil && (status < 400 || a.errors) && (status/100 != 3 || status == http.StatusNotModified || a.redirects) {
		a.cors(h, r.Header.Get("Origin"))
	}
	if status == http.StatusMovedPermanently {
		h.Set("Location", "/users")
	}
	if a.noStore {
		h.Set("Cache-Control", "no-store")
	} else if status == http.StatusOK {
		h.Set("Cache-Control", "public, max-age=60")
		h.Set("ETag", `"v1"`)
	}
	if r.Method == http.MethodOptions && a.preflight != 0 {
		h.Set("Access-Control-Max-Age", "600")
		h.Set("Access-Control-Allow-Methods", a.methods)
		h.Set("Access-Control-Allow-Headers", a.headers)
	}
	w.WriteHeader(status)
	if status == http.StatusOK {
		fmt.Fprintln(w, "a secret of the content")
	}
}

func (a app) status(r *http.Request) int {
	switch {
	case r.Method == http.MethodOptions && a.preflight != 0:
		return a.preflight
	case r.URL.Path == "/users/":
		return http.StatusMovedPermanently
	case r.URL.Path != "/users":
		return http.StatusNotFound
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return http.StatusMethodNotAllowed
	case r.Header.Get("If-None-Match") == `"v1"`:
		return http.StatusNotModified
	}
	return http.StatusOK
}

func (a app) cors(h http.Header, origin string) {
	allowed := origin != "" && a.allow(origin)
	if a.vary == "always" || a.vary == "allowed" && allowed {
		h.Add("Vary", "Origin")
	}
	if !allowed {
		return
	}
	h.Set("Access-Control-Allow-Origin", origin)
	if a.credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
}

var appCases = []struct {
	name   string
	change func(a *app)
	want   []string
}{
	{"right", func(*app) {}, nil},
	{"no CORS at all", func(a *app) { *a = app{} }, []string{"fault no-acao", "fault preflight-status"}},
	{"B is forgotten", func(a *app) { a.allow = func(o string) bool { return o == originA } },
		[]string{"fault no-acao", "fault preflight-no-acao"}},
	{"Vary is forgotten", func(a *app) { a.vary = "never" }, []string{"fault vary-missing", "fault vary-missing-refused"}},
	{"Vary is forgotten, nothing is stored", func(a *app) { a.vary, a.noStore = "never", true },
		[]string{"warning vary-missing", "warning vary-missing-refused"}},
	{"Vary only for who is let in", func(a *app) { a.vary = "allowed" }, []string{"fault vary-missing-refused"}},
	{"errors are forgotten", func(a *app) { a.errors = false }, []string{"fault error-no-acao"}},
	{"redirects are forgotten", func(a *app) { a.redirects = false }, []string{"fault redirect-no-acao"}},
	{"OPTIONS is forgotten", func(a *app) { a.preflight = 0 }, []string{"fault preflight-status"}},
	{"OPTIONS needs a login", func(a *app) { a.preflight = http.StatusUnauthorized }, []string{"fault preflight-status"}},
	{"PUT is forgotten", func(a *app) { a.methods = "GET, POST" }, []string{"fault preflight-method"}},
	{"Authorization is forgotten", func(a *app) { a.headers = "Content-Type" }, []string{"fault preflight-headers"}},
	{"echo", func(a *app) { a.allow = func(string) bool { return true } }, []string{"fault reflects-any"}},
	{"null on the list", func(a *app) { a.allow = orOrigin(a.allow, func(o string) bool { return o == "null" }) }, []string{"fault reflects-null"}},
	{"HasPrefix", func(a *app) {
		a.allow = orOrigin(a.allow, func(o string) bool { return strings.HasPrefix(o, originA) })
	}, []string{"fault loose-match"}},
	{"HasSuffix without a dot", func(a *app) {
		a.allow = orOrigin(a.allow, func(o string) bool { return strings.HasSuffix(o, "example.com") })
	}, []string{"fault loose-match", "fault insecure-origin"}},
	{"HasSuffix with a dot", func(a *app) {
		a.allow = orOrigin(a.allow, func(o string) bool {
			return strings.HasPrefix(o, "https://") && strings.HasSuffix(o, ".example.com")
		})
	}, []string{"note loose-match"}},
}

func orOrigin(a, b func(string) bool) func(string) bool {
	return func(o string) bool { return a(o) || b(o) }
}

// examineServer asks a server about /users, as a page that sends JSON with PUT
// would.
func examineServer(t *testing.T, base string, change func(*Options)) *Report {
	t.Helper()
	o := Options{URL: base + "/users", Origins: []string{originA, originB}, Method: "PUT", Headers: []string{"Content-Type", "Authorization"}}
	if change != nil {
		change(&o)
	}
	rep, err := Examine(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

func TestApplications(t *testing.T) {
	for _, c := range appCases {
		t.Run(c.name, func(t *testing.T) {
			a := goodApp()
			c.change(&a)
			server := httptest.NewServer(a)
			defer server.Close()
			rep := examineServer(t, server.URL, nil)
			if diff := cmp.Diff(c.want, findings(rep)); diff != "" {
				t.Errorf("(-want +got):\n%s\n%s", diff, text(t, rep))
			}
		})
	}
}

func text(t *testing.T, rep *Report) string {
	t.Helper()
	var b strings.Builder
	if err := rep.WriteText(&b, nil); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestManners: what is sent to a server that answers everything with a
// redirect, an unending body, or a cookie.
func TestManners(t *testing.T) {
	var seen []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Method) // the requests come one after the other
		if r.Close != (r.Method == http.MethodHead) {
			t.Errorf("%s: close %v", r.Method, r.Close)
		}
		for _, name := range []string{"Authorization", "Cookie", "Content-Length", "Idempotency-Key", "Accept-Encoding"} {
			if v := r.Header.Values(name); len(v) > 0 {
				t.Errorf("%s %s: %s was sent: %q", r.Method, r.URL, name, v)
			}
		}
		w.Header().Set("Set-Cookie", "session=secret")
		w.Header().Set("Location", "http://localhost:"+r.Host[strings.LastIndexByte(r.Host, ':')+1:]+"/login?token=secret")
		w.Header().Set("X-Internal", "secret")
		w.WriteHeader(http.StatusFound)
		fmt.Fprintln(w, "secret")
	}))
	defer server.Close()
	rep := examineServer(t, server.URL, nil)
	if n := len(seen); n < 20 || n > 28 || n != len(rep.Exchanges) {
		t.Errorf("%d requests, %d in the report", n, len(rep.Exchanges))
	}
	for _, m := range seen {
		if !slices.Contains([]string{"GET", "HEAD", "OPTIONS", "QUERY"}, m) {
			t.Errorf("%s was sent", m)
		}
	}
	var json strings.Builder
	if err := rep.WriteJSON(&json); err != nil {
		t.Fatal(err)
	}
	if s := json.String() + text(t, rep); strings.Contains(s, "secret") {
		t.Errorf("a secret is told:\n%s", s)
	}
}

// stream is a server whose bodies do not end.
type stream struct{ contentType string }

func (s stream) RoundTrip(r *http.Request) (*http.Response, error) {
	h := http.Header{"Content-Type": {s.contentType}, "Access-Control-Allow-Origin": {"*"}}
	return &http.Response{StatusCode: http.StatusOK, Header: h, Body: endless{r}}, nil
}

type endless struct{ r *http.Request }

func (e endless) Read([]byte) (int, error) {
	<-e.r.Context().Done()
	return 0, e.r.Context().Err()
}

func (endless) Close() error { return nil }

// TestUnending: a stream is not waited for, and a body that stalls but once.
func TestUnending(t *testing.T) {
	for contentType, want := range map[string]time.Duration{"text/event-stream; charset=utf-8": 0, "application/json": bodyPatience} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			rep := examineServer(t, "http://api.example.com", func(o *Options) {
				o.Method, o.Headers, o.Transport = "GET", nil, stream{contentType}
			})
			if took := time.Since(began); took != want {
				t.Errorf("%s: took %v, want %v", contentType, took, want)
			}
			if got := findings(rep); !slices.Equal(got, []string{"note preflight-max-age"}) {
				t.Errorf("%s: found %q", contentType, got)
			}
		})
	}
}

// TestTimeout: a server that takes requests and does not answer.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, err := Examine(t.Context(), Options{URL: "http://a.example/", Origins: []string{originA}, Transport: silent{}})
		var unreachable *UnreachableError
		if want := "cannot reach http://a.example/: context deadline exceeded"; !errors.As(err, &unreachable) || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	})
}

type silent struct{}

func (silent) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// TestQueryRefused: a server that takes no query of strangers is examined
// without.
func TestQueryRefused(t *testing.T) {
	a := goodApp()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery != "page=1" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		a.ServeHTTP(w, r)
	}))
	defer server.Close()
	rep := examineServer(t, server.URL, func(o *Options) { o.URL += "?page=1" })
	if got, want := findings(rep), []string{"fault error-no-acao"}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q\n%s", got, want, text(t, rep))
	}
	for _, x := range rep.Exchanges[2:] {
		if strings.Contains(x.URL, "veneer-doctor=") {
			t.Errorf("%s still has a query of its own: %s", x.Name, x.URL)
		}
	}
}

func TestUnreachable(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	_, err := Examine(t.Context(), Options{URL: server.URL, Origins: []string{originA}})
	var unreachable *UnreachableError
	if !errors.As(err, &unreachable) || unreachable.URL != server.URL+"/" {
		t.Errorf("got %v", err)
	}
}

func TestCertificates(t *testing.T) {
	server := httptest.NewUnstartedServer(goodApp())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	rep := examineServer(t, server.URL, func(o *Options) { o.Insecure = true })
	if got := findings(rep); got != nil {
		t.Errorf("found %q", got)
	}
	_, err := Examine(t.Context(), Options{URL: server.URL, Origins: []string{originA}})
	var unreachable *UnreachableError
	if !errors.As(err, &unreachable) {
		t.Errorf("got %v", err)
	}
}
