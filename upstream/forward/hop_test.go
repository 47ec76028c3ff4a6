package forward

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// header makes a map of "Name: value" lines.
func header(lines ...string) http.Header {
	h := http.Header{}
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		h.Add(name, value)
	}
	return h
}

func TestStripRequest(t *testing.T) {
	for _, c := range []struct {
		name     string
		keep     []string
		in, want http.Header
	}{
		{"nothing to do", nil, header("Accept: a", "X: b"), header("Accept: a", "X: b")},
		{
			"the connection's own", nil,
			header("Connection: close", "Keep-Alive: a", "TE: gzip", "Trailer: b", "Transfer-Encoding: chunked", "Upgrade: h2c",
				"HTTP2-Settings: c", "Content-Length: 3", "Proxy-Connection: d", "Proxy-Authorization: e", "Proxy-Other: f", "Proxy: g", "Proxied: h"),
			header("Proxied: h"),
		},
		{"listed", nil, header("Connection: X-A ,x-b,, close", "Connection: X-C", "X-A: 1", "X-B: 2", "X-C: 3", "X-D: 4"), header("X-D: 4")},
		{"listed and keyed", []string{"X-A"}, header("Connection: X-A, X-B", "X-A: 1", "X-B: 2"), header("X-A: 1")},
		{
			"listed and end-to-end", nil,
			header("Connection: Host, Cookie, Authorization, Cache-Control, Content-Type, If-None-Match, Accept, Accept-Encoding, Origin, "+
				"Access-Control-Request-Method, CDN-Loop, Via, Forwarded, Range, Sec-Fetch-Site, Content-Length",
				"Cookie: a", "Authorization: b", "Cache-Control: c", "Content-Type: d", "If-None-Match: e", "Accept: f", "Accept-Encoding: g", "Origin: h",
				"Access-Control-Request-Method: i", "CDN-Loop: j", "Via: k", "Forwarded: l", "Range: m", "Sec-Fetch-Site: n", "Content-Length: 7"),
			header("Cookie: a", "Authorization: b", "Cache-Control: c", "Content-Type: d", "If-None-Match: e", "Accept: f", "Accept-Encoding: g", "Origin: h",
				"Access-Control-Request-Method: i", "CDN-Loop: j", "Via: k", "Forwarded: l", "Range: m", "Sec-Fetch-Site: n"),
		},
		{"what is ours is added later", nil, header("Connection: X-Forwarded-For", "X-Forwarded-For: 1"), header()},
		{"trailers", nil, header("TE: gzip;q=0.5,  Trailers"), header("TE: trailers")},
		{"weighted trailers", nil, header("TE: trailers;q=0.5"), header()},
		{"trailers listed", nil, header("Connection: TE", "TE: trailers"), header("TE: trailers")},
		{"odd options", nil, header(`Connection: "X-A", X-A;q=1, X A`, "X-A: 1"), header("X-A: 1")},
	} {
		t.Run(c.name, func(t *testing.T) {
			StripRequest(c.in, c.keep)
			if diff := cmp.Diff(c.want, c.in); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestStripResponse(t *testing.T) {
	for _, c := range []struct{ name, strip, keep string }{
		{"framing", "Content-Length Transfer-Encoding Trailer Connection", "Content-Type Content-Encoding"},
		{"hop-by-hop", "Keep-Alive Upgrade Te Proxy-Authenticate Proxy-Authentication-Info Proxy-Connection", "Proxy-Status Server"},
		{"listed", "X-Listed", "X-Other Set-Cookie Cache-Control Etag Vary"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, want := http.Header{"Connection": {"X-Listed, Set-Cookie, Cache-Control, ETag, Vary"}}, http.Header{}
			for _, name := range strings.Fields(c.strip + " " + c.keep) {
				if name != "Connection" {
					in[name] = []string{"a"}
				}
			}
			for _, name := range strings.Fields(c.keep) {
				want[name] = []string{"a"}
			}
			StripResponse(in)
			if diff := cmp.Diff(want, in); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestStripTrailer(t *testing.T) {
	in := header("X-Sum: 1", "Grpc-Status: 0", "ETag: a", "Server-Timing: b", "Content-Digest: c",
		"Content-Length: 1", "Content-Type: d", "Set-Cookie: e", "Cache-Control: f", "Location: g", "Vary: h", "Age: 1", "Transfer-Encoding: chunked", "Trailer: i")
	StripTrailer(in)
	if diff := cmp.Diff(header("X-Sum: 1", "Grpc-Status: 0", "ETag: a", "Server-Timing: b", "Content-Digest: c"), in); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	StripTrailer(nil)
}

func TestUpgradeType(t *testing.T) {
	for _, c := range []struct {
		in   http.Header
		want string
	}{
		{header("Connection: keep-alive, upgrade", "Upgrade: WebSocket"), "WebSocket"},
		{header("Connection: keep-alive", "Connection: Upgrade", "Upgrade: chat/1.0"), "chat/1.0"},
		{header("Upgrade: websocket"), ""},
		{header("Connection: Upgrade"), ""},
		{header("Connection: Upgrade", "Upgrade: h2c"), ""},
		{header("Connection: Upgrade", "Upgrade: H2C"), ""},
		{header("Connection: Upgrade", "Upgrade: HTTP/2.0"), ""},
		{header("Connection: Upgrade", "Upgrade: TLS/1.3"), ""},
		{header("Connection: Upgrade", "Upgrade: websocket, h2c"), ""},
		{header("Connection: Upgrade", "Upgrade: websocket", "Upgrade: h2c"), ""},
		{header("Connection: Upgrade", "Upgrade: a b"), ""},
		{header("Connection: Upgrade", "Upgrade: /1"), ""},
		{header("Connection: Upgrade", "Upgrade: "), ""},
		{nil, ""},
	} {
		if got := UpgradeType(c.in); got != c.want {
			t.Errorf("%v: got %q, want %q", c.in, got, c.want)
		}
	}
}

func TestDropUnkeyed(t *testing.T) {
	harmless := header("X-Forwarded-For: 1", "X-Forwarded-Proto: 2", "X-Forwarded-Host: 3", "Accept: a", "X-App: b", "X_app: c", "X-Requested-With: d")
	poison := header("X-Original-URL: 1", "X-Rewrite-URL: 1", "X-HTTP-Method-Override: 1", "X-HTTP-Method: 1", "X-Method-Override: 1",
		"X-Forwarded-Prefix: 1", "X-Forwarded-Port: 1", "X-Forwarded-Server: 1", "X-Forwarded-Scheme: 1", "X-Forwarded-Ssl: 1", "X-Forwarded-Whatever: 1",
		"Front-End-Https: 1", "X-Host: 1", "X-Original-Host: 1", "X-Url-Scheme: 1", "X-Middleware-Subrequest: 1",
		"X_Original_URL: 1", "X_forwarded_prefix: 1", "X-Forwarded_For: 1", "Content_length: 1", "Transfer_Encoding: 1", "Cdn_Loop: 1", "Host_: 1", "Cookie: k")
	client := header("X-Real-IP: 1", "True-Client-IP: 1", "CF-Connecting-IP: 1", "X-Client-IP: 1")
	respelt := header("X_real_ip: 1")
	all := func(hs ...http.Header) http.Header {
		out := http.Header{}
		for _, h := range hs {
			for k, v := range h {
				out[k] = v
			}
		}
		return out
	}
	stays := header("Host_: 1", "Cookie: k") // no other spelling of anything
	for _, c := range []struct {
		name    string
		trusted bool
		keep    []string
		want    http.Header
	}{
		{"anybody", false, nil, all(harmless, stays)},
		{"trusted peer", true, nil, all(harmless, stays, client)},
		{"kept", false, []string{"X-Original-Url", "X_original_url"}, all(harmless, stays, header("X-Original-URL: 1", "X_Original_URL: 1"))},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := all(harmless, poison, client, respelt)
			DropUnkeyed(got, c.keep, c.trusted)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// Whatever comes in: no hop-by-hop field goes out, and what is not listed stays.
func TestStripProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{"Connection", "Te", "Upgrade", "X-A", "X-B", "X-C", "Cookie", "Proxy-A", "Proxy-Status", "Keep-Alive", "Content-Length", "Trailer"})
		in, listed := http.Header{}, map[string]bool{}
		for range rapid.IntRange(0, 8).Draw(t, "fields") {
			in[name.Draw(t, "name")] = []string{rapid.SampledFrom([]string{"trailers", "x", ""}).Draw(t, "value")}
		}
		if options := rapid.SliceOfN(name, 1, 4).Draw(t, "options"); rapid.Bool().Draw(t, "connection") {
			in["Connection"] = []string{strings.ToLower(strings.Join(options, " , "))}
			for _, o := range options {
				listed[o] = true
			}
		}
		got := in.Clone()
		StripRequest(got, []string{"X-C"})
		for n := range in {
			_, stays := got[n]
			want := n == "X-C" || n == "Cookie" || (n == "X-A" || n == "X-B") && !listed[n] || n == "Te" && in["Te"][0] == "trailers"
			if stays != want {
				t.Fatalf("%v: %s stays is %v, want %v", in, n, stays, want)
			}
		}
		again := got.Clone()
		StripRequest(again, []string{"X-C"})
		if diff := cmp.Diff(got, again); diff != "" {
			t.Fatalf("a second time changes more: %s", diff)
		}
	})
}

// A field that the key has does not come a second time in a spelling that a CGI
// program takes for the same.
func TestKeptFieldIsNotRespelt(t *testing.T) {
	h := http.Header{"X-Tenant": {"a"}, "X_tenant": {"evil"}, "X_other": {"b"}}
	DropUnkeyed(h, []string{"X-Tenant"}, false)
	if diff := cmp.Diff(http.Header{"X-Tenant": {"a"}, "X_other": {"b"}}, h); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
