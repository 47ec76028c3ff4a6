package upstream

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// echo answers with what it received.
type received struct {
	Method, URI, Host, Body string
	Header                  http.Header
	Trailer                 http.Header
}

func echo(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	json.NewEncoder(w).Encode(received{r.Method, r.RequestURI, r.Host, string(b), r.Header, r.Trailer})
}

func roundTripEcho(t *testing.T, p *Pool, r *http.Request) received {
	t.Helper()
	res := do(t, p, r)
	if res.Status != 200 || res.Broken {
		t.Fatalf("got %+v", res)
	}
	var got received
	if err := json.Unmarshal([]byte(res.Body), &got); err != nil {
		t.Fatal(err)
	}
	return got
}

// The whole request that an upstream sees.
func TestRequest(t *testing.T) {
	ours := func(more http.Header) http.Header {
		h := http.Header{
			"X-Forwarded-For":   {"192.0.2.7"},
			"X-Forwarded-Proto": {"https"},
			"X-Forwarded-Host":  {"www.example.com"},
			"Forwarded":         {"for=192.0.2.7;host=www.example.com;proto=https"},
			"Via":               {"1.1 veneer"},
			"Cdn-Loop":          {"veneer"},
		}
		for k, v := range more {
			h[k] = v
		}
		return h
	}
	for _, c := range []struct {
		name   string
		header http.Header
		change func(*Config)
		edit   func(*http.Request)
		want   received
	}{
		{name: "plain", want: received{Header: ours(nil)}},
		{
			name: "forged",
			header: http.Header{
				"X-Forwarded-For": {"6.6.6.6"}, "Forwarded": {"for=6.6.6.6;host=evil.example"},
				"X-Forwarded-Host": {"evil.example"}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Prefix": {"/evil"},
				"X-Original-Url": {"/admin"}, "X-Http-Method-Override": {"DELETE"}, "X-Real-Ip": {"6.6.6.6"},
				"X_forwarded_for": {"6.6.6.6"}, "Proxy": {"http://evil.example"},
			},
			want: received{Header: ours(nil)},
		},
		{
			name:   "forged from a trusted peer",
			change: func(c *Config) { c.Trust = trustDocumentation },
			header: http.Header{
				"X-Forwarded-For": {"198.51.100.1", "198.51.100.2"}, "Forwarded": {"for=198.51.100.1;host=evil.example, for=198.51.100.2"},
				"X-Forwarded-Host": {"evil.example"}, "X-Real-Ip": {"198.51.100.1"},
			},
			want: received{Header: ours(http.Header{
				"X-Forwarded-For": {"198.51.100.1, 198.51.100.2, 192.0.2.7"},
				"Forwarded":       {"for=198.51.100.1, for=198.51.100.2, for=192.0.2.7;host=www.example.com;proto=https"},
				"X-Real-Ip":       {"198.51.100.1"},
			})},
		},
		{
			name: "connection cannot take away ours",
			header: http.Header{
				"Connection": {"close, X-Forwarded-For, Via, CDN-Loop, Forwarded, X-Own, Origin, Cookie", "X-Keyed"},
				"Keep-Alive": {"timeout=5"}, "Te": {"gzip, trailers"}, "Trailer": {"X-T"}, "Upgrade": {"h2c"}, "Http2-Settings": {"AAMAAABk"},
				"Proxy-Authorization": {"Basic x"}, "Proxy-Connection": {"keep-alive"}, "Transfer-Encoding": {"chunked"}, "Content-Length": {"7"},
				"X-Own": {"1"}, "X-Keyed": {"2"}, "Origin": {"https://a.example"}, "Cookie": {"a=b"},
			},
			change: func(c *Config) { c.Keep = []string{"X-Keyed"} },
			want: received{Header: ours(http.Header{
				"Te": {"trailers"}, "X-Keyed": {"2"}, "Origin": {"https://a.example"}, "Cookie": {"a=b"},
			})},
		},
		{
			name: "through others", header: http.Header{"Via": {"1.0 fred", "2 cdn"}, "Cdn-Loop": {"other; v=\"veneer\""}},
			edit: func(r *http.Request) { r.ProtoMajor, r.ProtoMinor = 2, 0 },
			want: received{Header: ours(http.Header{"Via": {"1.0 fred, 2 cdn, 2 veneer"}, "Cdn-Loop": {"other; v=\"veneer\"", "veneer"}})},
		},
		{
			name: "host of the configuration", change: func(c *Config) { c.Host = "internal.example:81"; c.LoopID = "edge" },
			want: received{Host: "internal.example:81", Header: ours(http.Header{"Via": {"1.1 edge"}, "Cdn-Loop": {"edge"}})},
		},
		{
			name: "without a client",
			edit: func(r *http.Request) { r.RemoteAddr, r.ProtoMajor, r.ProtoMinor, r.Host = "", 0, 0, "" },
			want: received{Header: func() http.Header {
				h := ours(http.Header{"Forwarded": {"for=unknown;host=www.example.com;proto=https"}})
				delete(h, "X-Forwarded-For")
				return h
			}()},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPool(t, c.change, serve(t, echo))
			r := newRequest(t, "GET", "/a", c.header)
			if c.edit != nil {
				c.edit(r)
			}
			if c.want.Host == "" {
				c.want.Host = "www.example.com"
			}
			c.want.Method, c.want.URI = "GET", "/a"
			if diff := cmp.Diff(c.want, roundTripEcho(t, p, r)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// Path and query reach the server byte by byte.
func TestTarget(t *testing.T) {
	for _, c := range []struct{ base, path, query, want string }{
		{"", "/", "", "/"},
		{"", "/a%2Fb/%2E%2E/c", "x=%20&y=+", "/a%2Fb/%2E%2E/c?x=%20&y=+"},
		{"", "//evil.example/x", "", "//evil.example/x"},
		{"", "/a//b/", "a=1?b", "/a//b/?a=1?b"},
		{"", "/;v=1/$&'()*+,:@!~", "q=100%", "/;v=1/$&'()*+,:@!~?q=100%"},
		{"", "/%00%FF%25", "", "/%00%FF%25"},
		{"", "/a b\x01é|\"", "a b\r\nX: y#f", "/a%20b%01%C3%A9%7C%22?a%20b%0D%0AX:%20y%23f"},
		{"/base", "/x", "", "/base/x"},
		{"/base/", "/x", "a", "/base/x?a"},
		{"/b%2Fe/", "/%2F", "", "/b%2Fe/%2F"},
		{"/base", "*", "", "*"},
		{"", "*", "", "*"},
	} {
		t.Run(c.base+c.path, func(t *testing.T) {
			raw := serveRaw(t, answering("HTTP/1.1 204 No Content\r\n\r\n"))
			p := newPool(t, nil, raw.url+c.base)
			r := newRequest(t, "OPTIONS", "/", nil)
			r.URL.RawPath, r.URL.RawQuery = c.path, c.query
			if un, err := url.PathUnescape(c.path); err == nil {
				r.URL.Path = un
			}
			if got := do(t, p, r); got.Status != 204 {
				t.Fatalf("got %+v", got)
			}
			heads, _ := raw.seen()
			if line, _, _ := strings.Cut(heads[0], "\r\n"); line != "OPTIONS "+c.want+" HTTP/1.1" {
				t.Errorf("got %q, want %q", line, c.want)
			}
		})
	}
}

func TestRequestContent(t *testing.T) {
	p := newPool(t, nil, serve(t, echo))
	for _, length := range []int64{-1, 5} {
		r := newRequest(t, "POST", "/", nil)
		body := &closeCounter{Reader: strings.NewReader("hello")}
		r.Body, r.ContentLength, r.Trailer = body, length, http.Header{"X-Unchecked": {"1"}}
		got := roundTripEcho(t, p, r)
		if got.Body != "hello" || len(got.Trailer) > 0 {
			t.Errorf("length %d: got %+v", length, got)
		}
		if body.closed {
			t.Error("the client's body was closed")
		}
	}
}

type closeCounter struct {
	io.Reader
	closed bool
}

func (c *closeCounter) Close() error { c.closed = true; return nil }

// The whole response that the engine sees.
func TestResponse(t *testing.T) {
	for _, c := range []struct {
		name, method, raw string
		want              http.Header
		length            int64
		result            result
	}{
		{
			"hop-by-hop", "GET", "HTTP/1.1 200 OK\r\nConnection: X-Hop, Cache-Control\r\nX-Hop: 1\r\nKeep-Alive: a\r\nProxy-Authenticate: b\r\n" +
				"Proxy-Status: c\r\nUpgrade: h2c\r\nCache-Control: max-age=5\r\nVia: 1.1 behind\r\nContent-Length: 2\r\n\r\nok",
			http.Header{"Proxy-Status": {"c"}, "Cache-Control": {"max-age=5"}, "Via": {"1.1 behind"}}, 2, result{Status: 200, Body: "ok"},
		},
		{
			"chunked", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 7\r\n\r\n2\r\nok\r\n0\r\n\r\n",
			http.Header{}, -1, result{Status: 200, Body: "ok"},
		},
		{"until close", "GET", "HTTP/1.1 200 OK\r\n\r\nok", http.Header{}, -1, result{Status: 200, Body: "ok"}},
		{"head", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", http.Header{}, 7, result{Status: 200}},
		{"not modified", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\nETag: \"a\"\r\n\r\n", http.Header{"Etag": {`"a"`}}, 0, result{Status: 304}},
		{"no content", "GET", "HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n", http.Header{}, 0, result{Status: 204}},
		{"same length twice", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", http.Header{}, 2, result{Status: 200, Body: "ok"}},
		{"redirect", "GET", "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", http.Header{"Location": {"/elsewhere"}}, 0, result{Status: 302}},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw := serveRaw(t, answeringOnce(c.raw))
			p := newPool(t, nil, raw.url)
			r := newRequest(t, c.method, "/", nil)
			res, err := p.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			b, err := io.ReadAll(res.Body)
			got := result{Status: res.StatusCode, Body: string(b), Broken: err != nil}
			if diff := cmp.Diff(c.result, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(c.want, res.Header); diff != "" {
				t.Errorf("fields (-want +got)\n%s", diff)
			}
			if res.ContentLength != c.length || res.Request != r || res.Close || res.TransferEncoding != nil {
				t.Errorf("length %d, want %d; request %v; close %v; transfer encoding %v", res.ContentLength, c.length, res.Request.URL, res.Close, res.TransferEncoding)
			}
			if s := p.Servers()[0]; s.InFlight != 0 || !s.Healthy {
				t.Errorf("got %+v", s)
			}
			if heads, conns := raw.seen(); len(heads) != 1 || conns != 1 {
				t.Errorf("%d requests on %d connections", len(heads), conns)
			}
		})
	}
}

func TestTrailers(t *testing.T) {
	raw := serveRaw(t, answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, Grpc-Status\r\n\r\n"+
		"2\r\nok\r\n0\r\nX-Sum: 1\r\nGrpc-Status: 0\r\nSet-Cookie: a=b\r\nCache-Control: public\r\nContent-Length: 9\r\nConnection: X-Sum\r\n\r\n"))
	p := newPool(t, nil, raw.url)
	res, err := p.RoundTrip(newRequest(t, "GET", "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if len(res.Trailer) != 2 {
		t.Errorf("announced: %v", res.Trailer)
	}
	if _, err := io.ReadAll(res.Body); err != nil {
		t.Fatal(err)
	}
	// What a Connection field in a trailer section lists is gone with it.
	if diff := cmp.Diff(http.Header{"Grpc-Status": {"0"}}, res.Trailer); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestInterimResponses(t *testing.T) {
	raw := serveRaw(t, answering("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
	p := newPool(t, nil, raw.url)
	var got []string
	r := newRequest(t, "GET", "/", nil)
	ctx := httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		got = append(got, http.StatusText(code)+h.Get("Link"))
		return nil
	}})
	if res := do(t, p, r.WithContext(ctx)); res.Body != "ok" {
		t.Errorf("got %+v", res)
	}
	if diff := cmp.Diff([]string{"Early Hints</a>", "Processing"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestExpectContinue(t *testing.T) {
	p := newPool(t, nil, serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Expect") != "100-continue" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		w.WriteHeader(http.StatusRequestEntityTooLarge) // without a look at the content
	}))
	r := newRequest(t, "PUT", "/", http.Header{"Expect": {"100-continue"}})
	body := bytes.NewReader(make([]byte, 64<<10))
	r.Body, r.ContentLength = io.NopCloser(body), int64(body.Len())
	if got := do(t, p, r); got.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("got %+v", got)
	}
	if body.Len() != 64<<10 {
		t.Errorf("%d bytes were sent that nobody wanted", 64<<10-body.Len())
	}
}

func TestLoop(t *testing.T) {
	raw := serveRaw(t, answering(""))
	p := newPool(t, func(c *Config) { c.LoopID = "edge" }, raw.url)
	_, err := p.RoundTrip(newRequest(t, "GET", "/", http.Header{"Cdn-Loop": {"other, EDGE; n=1"}}))
	if e := asError(t, err); e.HTTPStatus() != 508 || e.Token() != "loop" {
		t.Errorf("got %v", e)
	}
	if _, conns := raw.seen(); conns != 0 {
		t.Error("the request was sent")
	}
}

func TestNewReportsEveryProblem(t *testing.T) {
	parse := func(s string) *url.URL { u, _ := url.Parse(s); return u }
	_, err := New(Config{Name: "u", LoopID: "a b", Host: "a/b", Servers: []*url.URL{
		nil, parse("ftp://a"), parse("http://"), parse("http://user:secret@a"), parse("http://a?b"), parse("mailto:a"), parse("http://good"), parse("http://a/b%7c|"),
	}})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{`upstream "u"`, "<nil> is nil", "ftp://a is neither", "http: has no host", "holds credentials", "http://a?b has a query", "mailto:a is neither", `"a b"`, `"a/b"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "good") {
		t.Errorf("got %v", err)
	}
	if _, err := New(Config{}); err == nil {
		t.Error("no servers: no error")
	}
}
