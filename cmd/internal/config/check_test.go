package config

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// One mistake each, in a configuration that is good otherwise.
func TestOneProblem(t *testing.T) {
	const rest = `
upstreams: { app: { servers: "http://127.0.0.1:3000" } }
routes: [{ upstream: app }]
`
	for _, c := range []struct{ name, src, want string }{
		{"empty text", `telemetry: { service_name: "" }` + rest, `x:1:28: telemetry.service_name: got "": is empty; fix: give a value, or leave the key out`},
		{"expands to nothing", `telemetry: { service_name: "${EMPTY}" }` + rest, `x:1:28: telemetry.service_name: got "${EMPTY}": is empty (after expansion, which is not shown); fix: give a value, or leave the key out`},
		{"no value", "server:\n  http:\n" + rest, `x:2:8: server.http: got nothing: has no value; fix: give one, or leave the key out; an empty list is []`},
		{"no element", "server: { trusted_proxies: [~] }" + rest, `x:1:29: server.trusted_proxies[0]: got "~": has no value; fix: give one, or leave the key out`},
		{"everybody trusted", "server: { trusted_proxies: [0.0.0.0/0] }" + rest, `x:1:29: warning: server.trusted_proxies[0]: got "0.0.0.0/0": trusts everybody, who can then forge the client's address and scheme; fix: the networks of your own proxies`},
		{"false spelt otherwise", `telemetry: { metrics: { prometheus: "No" } }` + rest, `x:1:37: telemetry.metrics.prometheus: got "No": is neither true nor false; fix: false`},
		{"size range", "server: { limits: { header_bytes: 2GiB } }" + rest, `x:1:35: server.limits.header_bytes: got "2GiB": is out of range; fix: between 1KiB and 1MiB`},
		{"size list", "server: { limits: { header_bytes: [1KiB] } }" + rest, `x:1:35: server.limits.header_bytes: got a list: a single value belongs here; fix: write it without [ ] and { }`},
		{"count list", "server: { limits: { connections: {} } }" + rest, `x:1:34: server.limits.connections: got a mapping: a single value belongs here; fix: write it without [ ] and { }`},
		{"short token on loopback", "admin: { token_file: short.token }" + rest, ""},
		{"token with white space", "admin: { token_file: tls.key }" + rest, `x:1:22: admin.token_file: got "tls.key": the file holds white space or bytes that no token may have; fix: one line of visible ASCII`},
		{"admin by name", "admin: { address: admin.example:9090 }" + rest, `x:1:19: admin.address: got "admin.example:9090": can be reached from other machines, and no token guards it; fix: token_file with a long random token, or an address on 127.0.0.1`},
		{"admin on IPv6 loopback", `admin: { address: "[::1]:9090" }` + rest, ""},
		{"admin off", "admin: off" + rest, ""},
		{"empty sections", "server:\nadmin:\ncors:\nstore:\ntelemetry:" + rest, ""},
		{"many addresses", "server: { http: [" + strings.Repeat("':0',", 65) + "] }" + rest, "x:1:17: server.http: has more than 64 addresses; fix: an address without a host, such as :8080, which takes every interface"},
		{"many targets", "upstreams: { app: { servers: \"http://h\" } }\nroutes: [{ upstream: app, cache: { targets: [a,b,c,d,e,f,g,h,i] } }]", "x:2:45: routes[0].cache.targets: has more than 8 fields; fix: the ones that your upstreams send"},
		{"unused policy", `cors: { p: { origins: ["https://a.example"] } }` + rest, "x:1:12: warning: cors.p: no route uses this policy; fix: name it in a route, or remove it"},
		{"max_age", "cors: { p: { origins: ['*'], max_age: long } }\nupstreams: { app: { servers: \"http://h\" } }\nroutes: [{ upstream: app, cors: p }]", `x:1:39: cors.p.max_age: got "long": is not a duration; fix: a number with a unit (ms, s, m, h, d), such as 30s or 1h30m`},
		{"max_age above a browser's", "cors: { p: { origins: ['*'], max_age: 3h } }\nupstreams: { app: { servers: \"http://h\" } }\nroutes: [{ upstream: app, cors: p }]", `x:1:39: warning: cors.p.max_age: got "3h": Chromium keeps it for 2h at most; fix: 2h`},
		{"later key without a value", "store: { disk: ~ }" + rest, ""},
		{"file of the wrong kind", "admin: { token_file: [a] }" + rest, `x:1:22: admin.token_file: got a list: a single value belongs here; fix: write it without [ ] and { }`},
		{"second document with a mistake", strings.TrimSpace(rest) + "\n---\n{", `x:4:1: is not YAML: did not find expected node content; fix: look at the indentation, quotes and braces of this line and the one before`},
		{"null document", "~", `x:1:1: got "~": a mapping belongs here; fix: keys such as upstreams: and routes: at the beginning of a line`},
		{"key of nothing", "~: 1" + rest, "x:1:1: a key must be a plain word"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, problems := parseTest("x", []byte(c.src))
			if got := strings.TrimSuffix(problems.String(), "\n"); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// An alias of a key is the key; nobody wants it, and it must not surprise.
func TestAliasKey(t *testing.T) {
	c, problems := parseTest("x", []byte("upstreams: { &n app: { servers: \"http://h\" } }\nroutes: [{ upstream: *n, match: { path: /a/ } }, { upstream: app, match: { host: '*' } }]"))
	if len(problems) > 0 {
		t.Fatalf("problems:\n%s", problems)
	}
	if got := c.Routes[0].Name + " " + c.Routes[0].Upstream + " " + c.Routes[1].Name; got != "*/a/ app */" {
		t.Errorf("got %s", got)
	}
}

func TestUnreadableFile(t *testing.T) {
	src := []byte("admin: { token_file: t }\nupstreams: { app: { servers: \"http://h\" } }\nroutes: [{ upstream: app }]")
	for err, want := range map[error]string{
		url.InvalidHostError("no path in it"): "the file cannot be read: " + url.InvalidHostError("no path in it").Error() + "; fix: a regular file",
		errors.ErrUnsupported:                 "the file cannot be read: unsupported operation; fix: a regular file",
	} {
		_, problems := parse("x", src, nil, func(string) ([]byte, error) { return nil, err })
		if got, want := problems.String(), `x:1:22: admin.token_file: got "t": `+want+"\n"; got != want {
			t.Errorf("got  %swant %s", got, want)
		}
	}
}

func TestParseAddress(t *testing.T) {
	for _, c := range []struct {
		in, host string
		port     int
		why      string
	}{
		{"127.0.0.1:8080", "127.0.0.1", 8080, ""},
		{":0", "", 0, ""},
		{"[::1]:80", "::1", 80, ""},
		{"[fe80::1%eth0]:80", "fe80::1%eth0", 80, ""},
		{"Host.Example:80", "host.example", 80, ""},
		{"", "", 0, "is missing"},
		{"80", "", 0, "has no host part"},
		{"::1:80", "", 0, "an IPv6 address with a port needs brackets"},
		{"http://h:80", "", 0, "is a URL, and an address belongs here"},
		{"h", "", 0, "is not host:port"},
		{"[::1]", "", 0, "is not host:port"},
		{"h:http", "", 0, "the port is not a number from 0 to 65535"},
		{"h:65536", "", 0, "the port is not a number from 0 to 65535"},
		{"h:-1", "", 0, "the port is not a number from 0 to 65535"},
		{"h:", "", 0, "the port is not a number from 0 to 65535"},
		{"*:80", "", 0, "an asterisk is no host"},
		{"a b:80", "", 0, "the host is neither an IP address nor a name"},
		{"-a:80", "", 0, "the host is neither an IP address nor a name"},
	} {
		host, port, why, fix := parseAddress(c.in)
		if host != c.host || port != c.port || why != c.why || (why == "") != (fix == "") {
			t.Errorf("%q: got %q, %d, %q, %q", c.in, host, port, why, fix)
		}
	}
}

func TestParseServer(t *testing.T) {
	for _, c := range []struct{ in, want, why string }{
		{"http://127.0.0.1:8081", "http://127.0.0.1:8081", ""},
		{"HTTPS://App.Example", "https://app.example", ""},
		{"http://[::1]:80/a%2Fb", "http://[::1]:80/a%2Fb", ""},
		{"http://app_1:80", "http://app_1:80", ""},
		{"127.0.0.1:80", "", "has no scheme"},
		{"app", "", "is not a URL"},
		{"unix:///run/app", "", "has a scheme that is neither http nor https"},
		{"http://u@h", "", "has credentials, which would end up in logs"},
		{"http://h?", "", "has a query, and the query is the request's own"},
		{"http://h?a", "", "has a query, and the query is the request's own"},
		{"http://h#", "", "has a fragment, which is never sent"},
		{"http://h#a", "", "has a fragment, which is never sent"},
		{"http://", "", "has no valid host"},
		{"http://a..b", "", "has no valid host"},
		{"http://h:", "", "has no valid port"},
		{"http://h:0", "", "has no valid port"},
		{"http://h:70000", "", "has no valid port"},
		{"http://h:x", "", "is not a URL"},
		{"http://h\n", "", "is not a URL"},
	} {
		u, why, fix := parseServer(c.in)
		got := ""
		if u != nil {
			got = u.String()
		}
		if got != c.want || why != c.why || (why == "") != (fix == "") {
			t.Errorf("%q: got %q, %q, %q", c.in, got, why, fix)
		}
	}
	for _, u := range []*url.URL{nil, {Scheme: "http", Host: "h", Fragment: "f"}} {
		if why, _ := checkServer(u); why == "" {
			t.Errorf("%v is accepted", u)
		}
	}
}

func TestMatchHost(t *testing.T) {
	for _, c := range []struct{ in, want, why string }{
		{"", "", ""},
		{"*", "", ""},
		{"API.example.com", "api.example.com", ""},
		{"*.Example.com", "*.example.com", ""},
		{"api.example.com:8443", "api.example.com:8443", ""},
		{"192.0.2.1", "192.0.2.1", ""},
		{"[::1]", "[::1]", ""},
		{"[::1]:80", "[::1]:80", ""},
		{"::1", "", "is an IPv6 address, which stands in brackets in a URL"},
		{"api:0", "", "has a port that is not a number from 1 to 65535"},
		{"api:080", "", "has a port that is not a number from 1 to 65535"},
		{"https://api", "", "is a URL, and a host belongs here"},
		{"api.", "", "ends in a dot, which requests lose before they are matched"},
		{"a.*", "", "has a wildcard that is not the whole first label"},
		{"*.*.a", "", "has a wildcard that is not the whole first label"},
		{"bücher.example", "", "is not ASCII, and requests carry the ASCII form"},
		{"a b", "", "is not a host name"},
		{".", "", "is not a host name"},
		{strings.Repeat("a.", 127) + "a", "", "is not a host name"},
		{strings.Repeat("a", 64), "", "is not a host name"},
	} {
		host, why, fix := matchHost(c.in)
		if host != c.want || why != c.why || (why == "") != (fix == "") {
			t.Errorf("%q: got %q, %q, %q", c.in, host, why, fix)
		}
	}
}

func TestMatchPath(t *testing.T) {
	type verdict struct{ Why, Fix string }
	const form = "is not in the form that requests are compared in"
	for in, want := range map[string]verdict{
		"/":          {},
		"/a":         {},
		"/a/":        {},
		"/a*":        {},
		"/a/*":       {},
		"/caf%C3%A9": {},
		"/a%2Fb//c":  {},
		"":           {"is empty", "/ for every path"},
		"a":          {"does not begin with a slash", `"/a"`},
		"/a?b":       {"has a query or a fragment, and routes look at the path alone", `"/a"`},
		"/a#b":       {"has a query or a fragment, and routes look at the path alone", `"/a"`},
		"/*/a":       {"has a * that is not at its end", "a path that ends in / or * matches everything below it"},
		"/a/./b":     {"has a dot segment, which clients resolve before they send it", `"/a/b"`},
		"/%4":        {"has an invalid percent-encoding", "% and two hex digits"},
		"/%41":       {form, `"/A"`},
		"/%2f":       {form, `"/%2F"`},
		"/café":      {form, `"/caf%C3%A9"`},
	} {
		why, fix := matchPath(in)
		if diff := cmp.Diff(want, verdict{why, fix}); diff != "" {
			t.Errorf("%q (-want +got):\n%s", in, diff)
		}
	}
}

// Every field that one side of the proxy owns is refused, in any case.
func TestOwnedFields(t *testing.T) {
	for direction, owned := range map[string]map[string]rule{"request": requestOwned, "response": responseOwned} {
		names := []string{"access-control-anything", "Access-Control-Allow-Origin"}
		for n := range owned {
			names = append(names, n, strings.ToLower(n))
		}
		for _, n := range names {
			src := "upstreams: { app: { servers: \"http://h\" } }\nroutes: [{ upstream: app, headers: { " + direction + ": { remove: " + n + " } } }]"
			_, problems := parseTest("x", []byte(src))
			if len(problems) != 1 || problems[0].Field != "routes[0].headers."+direction+".remove" || problems[0].Got != quote(n) {
				t.Errorf("%s %s: %s", direction, n, problems)
			}
		}
	}
}

func TestTells(t *testing.T) {
	for _, c := range []struct {
		text, value string
		want        bool
	}{
		{"write https://hidden.example", "https://hidden.example/", true},
		{"one of a, b", "secret-value", false},
		{"got secret", "the-secret", true},
		{"between 1 and 1000", "1", false},
		{":8080 for every interface", "8080", true},
		{"", "", false},
	} {
		if got := tells(c.text, c.value); got != c.want {
			t.Errorf("%q, %q: got %v", c.text, c.value, got)
		}
	}
}

func TestValidField(t *testing.T) {
	for s, want := range map[string][2]bool{ // as a name, as a value
		"X-A":     {true, true},
		"x!#$%&'": {true, true},
		"":        {false, true},
		"a b":     {false, true},
		"a\tb":    {false, true},
		"a:b":     {false, true},
		"é":       {false, true},
		"a\nb":    {false, false},
		"a\x00":   {false, false},
		"a\x7f":   {false, false},
	} {
		if got := [2]bool{validToken(s), validFieldValue(s)}; got != want {
			t.Errorf("%q: got %v, want %v", s, got, want)
		}
	}
}
