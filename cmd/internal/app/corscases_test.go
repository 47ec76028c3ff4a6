package app

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"veneer/cache/key"
	"veneer/cmd/internal/config"
	"veneer/upstream/route"
)

// The cases of the contract that only the engine with its policies shows. Each
// test has its case in its name.

// told is what a client is told of CORS, and how it was served.
type told struct {
	Status                          int
	ACAO, Credentials, Expose, Vary string
	Served                          string // the first two words of Cache-Status
}

// corsTier is an Engine over originsConfig and an application.
type corsTier struct {
	t      *testing.T
	engine http.Handler
}

// inTier runs f in a bubble, over the application h.
func inTier(t *testing.T, h http.HandlerFunc, f func(x corsTier)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		engine, closeAll := originTier(t, handlerTrip{h}, nil)
		defer closeAll()
		f(corsTier{t, engine})
	})
}

// handlerTrip is a handler in an upstream's place.
type handlerTrip struct{ h http.HandlerFunc }

func (u handlerTrip) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	u.h(w, r)
	res := w.Result()
	res.ContentLength = int64(w.Body.Len())
	return res, nil
}

func (x corsTier) ask(method, path, origin string, fields ...string) (told, *httptest.ResponseRecorder) {
	r := httptest.NewRequest(method, "http://site.example"+path, nil)
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	x.engine.ServeHTTP(w, r)
	synctest.Wait()
	line := func(name string) string { return strings.Join(w.Header()["Access-Control-"+name], " | ") }
	served := strings.SplitN(w.Header().Get("Cache-Status"), "; ", 3)
	return told{w.Code, line("Allow-Origin"), line("Allow-Credentials"), line("Expose-Headers"), strings.Join(w.Header()["Vary"], " | "),
		strings.Join(served[:min(2, len(served))], "; ")}, w
}

// want asks with GET and compares what the client is told.
func (x corsTier) want(path, origin string, want told, fields ...string) {
	x.t.Helper()
	got, _ := x.ask(http.MethodGet, path, origin, fields...)
	if diff := cmp.Diff(want, got); diff != "" {
		x.t.Errorf("%s to %q %q (-want +got):\n%s", path, origin, fields, diff)
	}
}

const (
	originA, originB, originEvil = "https://a.example", "https://b.example", "https://evil.example"

	hit, missed = "veneer; hit", "veneer; fwd=uri-miss"
)

// toldOf is what the policy "list" tells an origin.
func toldOf(status int, origin, served string) told {
	w := told{Status: status, Vary: "Origin", Served: served}
	if origin != "" {
		w.ACAO, w.Credentials, w.Expose = origin, "true", "ETag"
	}
	return w
}

// cached answers with an ETag and what the request's Origin was.
func cached(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "max-age=60")
	w.Header().Set("ETag", `"1"`)
	if r.Header.Get("If-None-Match") == `"1"` {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	fmt.Fprintf(w, "for %q", r.Header.Get("Origin"))
}

// Under * one stored response serves every Origin; in bucket mode each allowed
// Origin has one of its own, and strangers share one.
func TestK2K3Entries(t *testing.T) {
	var asked sync.Map
	inTier(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.URL.Path+" "+r.Header.Get("Origin"), true)
		cached(w, r)
	}, func(x corsTier) {
		for _, origin := range allOrigins {
			x.ask("GET", "/list/x", origin)
			x.ask("GET", "/shared/x", origin)
			x.ask("GET", "/any/x", origin)
			x.ask("GET", "/static/x", origin)
		}
		x.want("/list/x", originA, toldOf(200, originA, hit))
		x.want("/list/x", originEvil, toldOf(200, "", hit))
		x.want("/shared/x", originB, toldOf(200, originB, hit))
	})
	var got []string
	asked.Range(func(k, _ any) bool { got = append(got, k.(string)); return true })
	want := []string{"/any/x ", "/list/x ", "/shared/x ", "/static/x ", "/static/x " + originA}
	for _, origin := range listed {
		want = append(want, "/list/x "+origin)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what the upstream saw of Origin (-want +got):\n%s", diff)
	}
}

// Past the cap a response is served and not stored, and evicts nobody.
func TestK4Cap(t *testing.T) {
	inTier(t, cached, func(x corsTier) {
		for _, path := range []string{"/pass/x", "/list/x"} {
			origin := func(i int) string { return fmt.Sprintf("https://n%d.partner.example", i) }
			const most = 64
			for i := range most + 20 {
				x.ask("GET", path, origin(i))
			}
			stored := 0
			for i := range most + 20 {
				if got, w := x.ask("GET", path, origin(i)); got.Served == hit {
					stored++
					if i >= most || w.Body.String() != fmt.Sprintf("for %q", origin(i)) {
						t.Errorf("%s: origin %d is served %q from the store", path, i, w.Body)
					}
				}
			}
			if stored != most {
				t.Errorf("%s: %d origins are stored, want %d", path, stored, most)
			}
		}
		x.ask("GET", "/list/x", originA)
		if got, _ := x.ask("GET", "/list/x", originA); got.Served != hit {
			t.Errorf("an origin that a rule names is under the cap: %+v", got)
		}
	})
}

// A bad Origin is neither looked up nor stored in pass mode, and goes through.
func TestK4BadOrigin(t *testing.T) {
	inTier(t, cached, func(x corsTier) {
		for range 2 {
			if got, w := x.ask("GET", "/pass/x", originA+", "+originB); got.Served == hit || w.Body.String() != fmt.Sprintf("for %q", originA+", "+originB) {
				t.Errorf("%+v, %s", got, w.Body)
			}
		}
	})
}

// Nothing with a CORS field is stored where Veneer is the authority (the store
// of originTier fails on one), and a refresh in the background shows the
// bucket's Origin in bucket mode, and none in shared mode.
func TestK5BackgroundFetch(t *testing.T) {
	var mu sync.Mutex
	seen := map[string][]string{}
	inTier(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen[r.URL.Path] = append(seen[r.URL.Path], r.Header.Get("Origin"))
		mu.Unlock()
		w.Header().Set("Access-Control-Allow-Origin", "https://upstream.example")
		w.Header().Set("Cache-Control", "max-age=1, stale-while-revalidate=60")
		io.WriteString(w, "x")
	}, func(x corsTier) {
		for _, path := range []string{"/list/x", "/shared/x"} {
			x.ask("GET", path, originA)
			<-time.After(3 * time.Second)
			x.want(path, originA, toldOf(200, originA, hit))
		}
	})
	want := map[string][]string{"/list/x": {originA, originA}, "/shared/x": {"", ""}}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("what the upstream saw (-want +got):\n%s", diff)
	}
}

// The policy is that of host and path, whatever else a request says.
func TestK6PolicyByRouteAlone(t *testing.T) {
	inTier(t, cached, func(x corsTier) {
		for _, f := range []string{"Cookie: cors=any", "Authorization: Bearer any", "Referer: https://site.example/any/", "X-Original-Url: /any/x",
			"Access-Control-Request-Method: GET", "Sec-Fetch-Mode: cors", "X-Forwarded-Host: any.example"} {
			if got, _ := x.ask("GET", "/list/x?"+f[:3], originEvil, f); got.ACAO != "" || got.Vary != "Origin" {
				t.Errorf("%s: %+v", f, got)
			}
		}
	})
}

// A stream's first byte comes with the fields, behind a 103 that has none.
func TestE5BeforeTheFirstByte(t *testing.T) {
	goOn := make(chan struct{})
	r := run(t, testConfig(t, upstreamOf(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "https://upstream.example")
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		io.WriteString(w, "data: 1\n\n")
		w.(http.Flusher).Flush()
		<-goOn
		io.WriteString(w, "data: 2\n\n")
	}), nil))
	early := 0
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		early++
		if len(h["Access-Control-Allow-Origin"]) > 0 || len(h["Link"]) != 1 {
			t.Errorf("%d with %v", code, h)
		}
		return nil
	}})
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+r.Addrs()[0].String()+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", originApp)
	res, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got := res.Header["Access-Control-Allow-Origin"]; len(got) != 1 || got[0] != originApp || early != 1 {
		t.Errorf("with the first byte: %q, after %d interim responses", got, early)
	}
	close(goOn)
	if b, err := io.ReadAll(res.Body); err != nil || string(b) != "data: 1\n\ndata: 2\n\n" {
		t.Errorf("%q, %v", b, err)
	}
}

// An upgrade shows the upstream the Origin as it came, also where a GET would
// hide it, since WebSocket servers check it; and its 101 gets no field.
func TestE5UpgradeUntouched(t *testing.T) {
	seen := make(chan string, 1)
	up := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
		seen <- strings.Join(r.Header["Origin"], " | ")
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_ = rw.Flush()
	})
	r := run(t, testConfig(t, up, func(c *config.Config) {
		c.Routes[0].Cache.Key.Origin, c.Routes[0].Cache.OriginSet = key.OriginShared, true
	}))
	for _, origin := range []string{originApp, originOther, "null", "not an origin"} {
		conn, err := net.Dial("tcp", r.Addrs()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\nOrigin: %s\r\n\r\n", origin)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		want := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"echo"}, "Via": {"1.1 veneer"}}
		if diff := cmp.Diff(want, res.Header); diff != "" || res.StatusCode != http.StatusSwitchingProtocols {
			t.Errorf("to %q: %d (-want +got):\n%s", origin, res.StatusCode, diff)
		}
		if got := <-seen; got != origin {
			t.Errorf("the upstream saw %q, want %q", got, origin)
		}
	}
}

// A 304 has the fields of the Origin at hand, also where the browser validates
// what another origin brought.
func TestE7NotModifiedNamesTheOriginAtHand(t *testing.T) {
	inTier(t, cached, func(x corsTier) {
		for _, path := range []string{"/list/x", "/shared/x"} {
			for _, origin := range []string{originA, originB, originA} {
				x.ask("GET", path, origin)
				got, w := x.ask("GET", path, origin, `If-None-Match: "1"`)
				if diff := cmp.Diff(toldOf(304, origin, hit), got); diff != "" || w.Body.Len() > 0 {
					t.Errorf("%s to %s (-want +got):\n%s", path, origin, diff)
				}
			}
		}
	})
}

// An origin that a list refuses never gets a 304: its browser would go on with
// what it has stored.
func TestE8NoNotModifiedToTheRefused(t *testing.T) {
	inTier(t, cached, func(x corsTier) {
		x.ask("GET", "/shared/x", originA)
		for _, origin := range []string{originEvil, "null", "HTTPS://A.EXAMPLE", "https://a.example, https://b.example"} {
			for _, path := range []string{"/list/x", "/shared/x"} {
				for range 2 { // fetched, and stored
					got, w := x.ask("GET", path, origin, `If-None-Match: "1"`, "If-Modified-Since: Thu, 01 Jan 2099 00:00:00 GMT")
					if got.Status != 200 || got.ACAO != "" || w.Body.Len() == 0 {
						t.Errorf("%s to %q: %+v, %q", path, origin, got, w.Body)
					}
				}
			}
		}
		// Without Origin there is no page to take anything from.
		x.ask("GET", "/list/y", "")
		x.want("/list/y", "", toldOf(304, "", hit), `If-None-Match: "1"`)
	})
}

// A preflight reaches no upstream, so that nobody can redirect it or ask it to
// log in first.
func TestE10PreflightIsAnsweredHere(t *testing.T) {
	var asked atomic.Int32
	inTier(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		http.Redirect(w, r, "https://login.example/", http.StatusFound)
	}, func(x corsTier) {
		for origin, status := range map[string]int{originA: 204, originEvil: 403, "null": 403} {
			got, w := x.ask("OPTIONS", "/list/x", origin, "Access-Control-Request-Method: GET")
			if got.Status != status || w.Header().Get("Location") != "" || w.Header().Get("WWW-Authenticate") != "" {
				t.Errorf("%s: %+v, %v", origin, got, w.Header())
			}
		}
		if n := asked.Load(); n != 0 {
			t.Errorf("%d preflights reached the upstream", n)
		}
		// What the upstream redirects can be followed by a page that may.
		x.want("/list/x", originA, toldOf(302, originA, "veneer; fwd=uri-miss"))
	})
}

// Preflights of pass mode go through as they are, and no OPTIONS is stored.
func TestA1PreflightGoesThrough(t *testing.T) {
	var asked atomic.Int32
	inTier(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		h := r.Header
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Access-Control-Allow-Methods", h.Get("Origin")+" "+h.Get("Access-Control-Request-Method")+" "+h.Get("Access-Control-Request-Headers"))
		w.WriteHeader(http.StatusNoContent)
	}, func(x corsTier) {
		for range 2 {
			_, w := x.ask("OPTIONS", "/pass/x", originEvil, "Access-Control-Request-Method: PATCH", "Access-Control-Request-Headers: x-a,x-b")
			if got := w.Header().Get("Access-Control-Allow-Methods"); got != originEvil+" PATCH x-a,x-b" {
				t.Errorf("the upstream saw %q", got)
			}
		}
		if n := asked.Load(); n != 2 {
			t.Errorf("%d preflights reached the upstream, want 2", n)
		}
	})
}

// echoing names the request's Origin and forgets Vary.
func echoing(w http.ResponseWriter, r *http.Request) {
	if origin := r.Header.Get("Origin"); origin != "" {
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Set("X-Variant", origin)
	}
	cached(w, r)
}

// What is stored with CORS fields in it reaches the Origin that it is for.
func TestA2SameOriginOnly(t *testing.T) {
	inTier(t, echoing, func(x corsTier) {
		for range 2 {
			for _, origin := range []string{"", originA, originB, "null", originEvil} {
				got, w := x.ask("GET", "/pass/x", origin)
				if got.ACAO != origin || w.Body.String() != fmt.Sprintf("for %q", origin) {
					t.Errorf("to %q: %+v, %q", origin, got, w.Body)
				}
			}
		}
		if got, _ := x.ask("GET", "/pass/x", originA); got.Served != hit {
			t.Errorf("it is not stored: %+v", got)
		}
	})
}

// A 304 freshens the variant of its own Origin, and no other.
func TestA6FreshensItsOwnVariant(t *testing.T) {
	var validated sync.Map
	inTier(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") != "" {
			validated.Store(r.Header.Get("Origin"), true)
			w.Header().Set("X-Freshened", "yes")
		}
		echoing(w, r)
	}, func(x corsTier) {
		x.ask("GET", "/pass/x", originA)
		x.ask("GET", "/pass/x", originB)
		<-time.After(59 * time.Second)
		// Only one of the two is asked for once it is stale.
		<-time.After(2 * time.Second)
		if got, _ := x.ask("GET", "/pass/x", originA); got.ACAO != originA {
			t.Errorf("freshened: %+v", got)
		}
		if got, w := x.ask("GET", "/pass/x", originA); got.Served != hit || w.Header().Get("X-Freshened") != "yes" || got.ACAO != originA {
			t.Errorf("after the 304: %+v, %v", got, w.Header())
		}
		if _, ok := validated.Load(originB); ok {
			t.Error("the other origin's variant was validated as well")
		}
		if got, w := x.ask("GET", "/pass/x", originB); got.Served == hit || got.ACAO != originB || w.Body.String() != fmt.Sprintf("for %q", originB) {
			t.Errorf("the other variant was freshened too: %+v, %q", got, w.Body)
		}
	})
}

// One host and path never have two authorities: two such routes are refused.
func TestOneAuthorityARoute(t *testing.T) {
	const twice = `
cors: { p: { origins: ["https://a.example"] } }
upstreams: { app: { servers: ["http://127.0.0.1:1"] } }
routes: [{ upstream: app, cors: p }, { upstream: app, cors: pass }]`
	if c, problems := config.Parse("x", []byte(twice), nil); c != nil {
		t.Errorf("accepted: %v", problems)
	}
	_, conflicts := route.New([]route.Entry[int]{{Path: "/"}, {Path: "/"}})
	if len(conflicts) != 1 {
		t.Errorf("%d conflicts", len(conflicts))
	}
}
