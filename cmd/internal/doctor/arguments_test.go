package doctor

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"veneer/corslayer/origin"
)

func TestArguments(t *testing.T) {
	const u = "https://api.example.com/users"
	for _, c := range []struct {
		name string
		o    Options
		want string // lines, one a mistake
	}{
		{"good", Options{URL: u, Origins: []string{originA, originB}}, ""},
		{"nothing", Options{}, `cannot use URL "": it does not begin with http:// or https://; fix: write a URL such as https://api.example.com/users
cannot use --origin "": there is none; fix: name one or two origins that the server is meant to let in: --origin https://app.example.com`},
		{"no scheme", Options{URL: "api.example.com/users", Origins: []string{originA}},
			`cannot use URL "api.example.com/users": it does not begin with http:// or https://; fix: write https://api.example.com/users`},
		{"another scheme", Options{URL: "ftp://api.example.com", Origins: []string{originA}},
			`cannot use URL "ftp://api.example.com": it does not begin with http:// or https://; fix: write a URL such as https://api.example.com/users`},
		{"no host", Options{URL: "https:///users", Origins: []string{originA}},
			`cannot use URL "https:///users": it has no host; fix: write a URL such as https://api.example.com/users`},
		{"fragment", Options{URL: u + "#top", Origins: []string{originA}},
			`cannot use URL "https://api.example.com/users#top": it has a fragment, which is never sent; fix: write https://api.example.com/users`},
		{"password", Options{URL: "https://me:secret@api.example.com/", Origins: []string{originA}},
			`cannot use URL "https://api.example.com/": it had a user name, and no credentials are sent; fix: leave it out; what needs them can be seen in the answer without`},
		{"bad port", Options{URL: "https://me:secret@api.example.com:x/", Origins: []string{originA}},
			`cannot use URL "…@api.example.com:x/": invalid port ":x" after host; fix: write a URL such as https://api.example.com/users`},
		{"path", Options{URL: u, Origins: []string{originA + "/login"}},
			`cannot use --origin "https://app.example.com/login": an origin has no path; fix: write https://app.example.com`},
		{"slash", Options{URL: u, Origins: []string{originA, originB + "/"}},
			`cannot use --origin "https://partner.example.com/": an origin does not end in a slash; fix: write https://partner.example.com`},
		{"capitals", Options{URL: u, Origins: []string{"https://App.example.com"}},
			`cannot use --origin "https://App.example.com": browsers send origins in lower case; fix: write https://app.example.com`},
		{"umlaut", Options{URL: u, Origins: []string{"https://bücher.example"}},
			`cannot use --origin "https://bücher.example": browsers send host names in ASCII; fix: write https://xn--bcher-kva.example`},
		{"no scheme of the origin", Options{URL: u, Origins: []string{"app.example.com"}},
			`cannot use --origin "app.example.com": it has no scheme; fix: begin with https://`},
		{"default port", Options{URL: u, Origins: []string{originA + ":443"}},
			`cannot use --origin "https://app.example.com:443": browsers leave the default port out; fix: write https://app.example.com`},
		{"pattern", Options{URL: u, Origins: []string{"https://*.example.com"}},
			`cannot use --origin "https://*.example.com": it is a pattern; fix: write one origin that the pattern stands for, such as https://app.example.com`},
		{"null", Options{URL: u, Origins: []string{"null"}},
			`cannot use --origin "null": it is not the origin of one site; fix: write an origin such as https://app.example.com; null and a stranger are tried without being asked for`},
		{"three", Options{URL: u, Origins: []string{originA, originB, "https://c.example"}},
			`cannot use --origin "https://c.example": two origins are what is compared; fix: run the command again with this one and another`},
		{"twice", Options{URL: u, Origins: []string{originA, originA}},
			`cannot use --origin "https://app.example.com": it is given twice; fix: give two different origins, or one`},
		{"own origin", Options{URL: "https://API.example.com:443/users", Origins: []string{"https://api.example.com"}},
			`cannot use --origin "https://api.example.com": it is the URL's own origin, for which browsers do not ask for CORS; fix: give the origin of another site's page`},
		{"method", Options{URL: u, Origins: []string{originA}, Method: "patch"},
			`cannot use --method "patch": methods are compared with regard to case; fix: write PATCH`},
		{"forbidden method", Options{URL: u, Origins: []string{originA}, Method: "TRACE"},
			`cannot use --method "TRACE": browsers never send it (Fetch, forbidden method); fix: name a method that the page uses`},
		{"no method", Options{URL: u, Origins: []string{originA}, Method: "GET /"},
			`cannot use --method "GET /": it is not a method; fix: write one such as PUT`},
		{"header with a value", Options{URL: u, Origins: []string{originA}, Headers: []string{"Authorization: Bearer secret"}},
			`cannot use --header "Authorization: …": it has a value, and no value is sent; fix: write Authorization`},
		{"forbidden header", Options{URL: u, Origins: []string{originA}, Headers: []string{"Cookie"}},
			`cannot use --header "Cookie": scripts cannot set it (Fetch, forbidden request-header); fix: name a field that the page sets`},
		{"no header", Options{URL: u, Origins: []string{originA}, Headers: []string{""}},
			`cannot use --header "": it is not a field name; fix: write a name such as Authorization`},
		{"timeout", Options{URL: u, Origins: []string{originA}, Timeout: -time.Second},
			`cannot use --timeout "-1s": it is negative; fix: write a duration such as 10s`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.o.compile()
			got := ""
			if err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if strings.Contains(got, "secret") {
				t.Error("a secret is told")
			}
			var argument *ArgumentError
			if err != nil && !errors.As(err, &argument) {
				t.Errorf("%T is no ArgumentError", err)
			}
		})
	}
}

func TestLookalikes(t *testing.T) {
	for _, c := range []struct {
		origin string
		want   lookalikes
	}{
		{"https://app.example.com", lookalikes{
			suffixed: "https://app.example.com.evil.invalid", prefixed: "https://evilapp.example.com", dotless: "https://appxexample.com",
			insecure: "http://app.example.com", sibling: "https://veneer-doctor.example.com", glued: "https://evilexample.com",
			port: "https://app.example.com:8443",
		}},
		{"https://example.co.uk:8443", lookalikes{
			suffixed: "https://example.co.uk.evil.invalid:8443", prefixed: "https://evilexample.co.uk:8443", dotless: "https://examplexco.uk:8443",
			insecure: "http://example.co.uk:8443", port: "https://example.co.uk:9443",
		}},
		{"https://a.b.example.com", lookalikes{
			suffixed: "https://a.b.example.com.evil.invalid", prefixed: "https://evila.b.example.com", dotless: "https://a.bxexample.com",
			insecure: "http://a.b.example.com", sibling: "https://veneer-doctor.example.com", glued: "https://evilexample.com",
			port: "https://a.b.example.com:8443",
		}},
		{"http://localhost:3000", lookalikes{suffixed: "http://localhost.evil.invalid:3000", port: "http://localhost:8443"}},
		{"https://127.0.0.1:3000", lookalikes{suffixed: "https://127.0.0.1.evil.invalid:3000", port: "https://127.0.0.1:8443"}},
		{"http://[::1]:3000", lookalikes{port: "http://[::1]:8443"}},
		{"https://[2001:db8::1]", lookalikes{insecure: "http://[2001:db8::1]", port: "https://[2001:db8::1]:8443"}},
		{"https://app.example.com:80", lookalikes{
			suffixed: "https://app.example.com.evil.invalid:80", prefixed: "https://evilapp.example.com:80", dotless: "https://appxexample.com:80",
			sibling: "https://veneer-doctor.example.com:80", glued: "https://evilexample.com:80",
			port: "https://app.example.com:8443",
		}},
	} {
		o, ok := origin.Parse(c.origin)
		if !ok {
			t.Fatal(c.origin)
		}
		if diff := cmp.Diff(c.want, (&subject{a: o}).lookalikes(), cmp.AllowUnexported(lookalikes{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.origin, diff)
		}
	}
}

func TestPaths(t *testing.T) {
	for _, c := range []struct{ url, missing, slash string }{
		{"https://a.example/users", "https://a.example/veneer-doctor-no-such-path", "https://a.example/users/"},
		{"https://a.example/v1/users/?q=1", "https://a.example/v1/users/veneer-doctor-no-such-path", "https://a.example/v1/users?q=1"},
		{"https://a.example/a%2Fb/c%20d", "https://a.example/a%2Fb/veneer-doctor-no-such-path", "https://a.example/a%2Fb/c%20d/"},
		{"https://a.example", "https://a.example/veneer-doctor-no-such-path", ""},
	} {
		s, err := Options{URL: c.url, Origins: []string{originA}}.compile()
		if err != nil {
			t.Fatal(err)
		}
		if got := s.missing().String(); got != c.missing {
			t.Errorf("%s: missing: got %s, want %s", c.url, got, c.missing)
		}
		got := ""
		if p, ok := slash(&run{s: s}); ok {
			got = p.url.String()
		}
		if got != c.slash {
			t.Errorf("%s: slash: got %s, want %s", c.url, got, c.slash)
		}
	}
}

func TestPreflightAsBrowsersDo(t *testing.T) {
	s, err := Options{
		URL: "https://a.example/", Origins: []string{originA}, Method: "PUT",
		Headers: []string{" X-Zeta", "Authorization", "Range", "content-type", "Content-Type"},
	}.compile()
	if err != nil {
		t.Fatal(err)
	}
	got := s.preflight("n", "a", originA, strings.Join(s.unsafeHeaders(), ",")).fields
	if diff := cmp.Diff([]Field{{fieldRequestMethod, "PUT"}, {fieldRequestHeaders, "authorization,content-type,x-zeta"}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := s.capitals(); got != "Content-Type, Range, Authorization, X-Zeta" {
		t.Errorf("got %q", got)
	}
}

// FuzzArguments: what is taken is what a browser would send; what is not comes
// with a reason and a fix; and no password is repeated.
func FuzzArguments(f *testing.F) {
	for _, s := range []string{"https://a.example", "https://A.example/x", "http://u:p4ssw0rd@h/", "//", "https://*.x", "%zz", "http://[::1]:8080", "null"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, target, site string) {
		s, err := Options{URL: target, Origins: []string{site}}.compile()
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				if strings.HasPrefix(line, "cannot use ") && !strings.Contains(line, "; fix: ") {
					t.Errorf("no fix: %q", line)
				}
			}
			if u, parse := url.Parse(target); parse == nil && u.User != nil {
				if password, _ := u.User.Password(); len(password) > 3 && strings.Contains(err.Error(), password) && !strings.Contains(u.Host+u.Path+u.RawQuery+u.Fragment+site, password) {
					t.Errorf("the password is told: %q", err)
				}
			}
			return
		}
		if _, ok := origin.Parse(s.a.Text); !ok || s.a.Text != site {
			t.Errorf("%q was taken for %q", site, s.a.Text)
		}
		if again, err := url.Parse(s.missing().String()); err != nil || again.Host != s.url.Host {
			t.Errorf("%q: the missing path leads elsewhere: %v, %v", target, again, err)
		}
		like := s.lookalikes()
		for _, o := range []string{like.suffixed, like.prefixed, like.dotless, like.insecure, like.sibling, like.glued} {
			if _, ok := origin.Parse(o); o != "" && (!ok || o == site) {
				t.Errorf("%q looks like %q", o, site)
			}
		}
	})
}
