package corstry

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	long := strings.Repeat("x", 9<<10)
	for _, c := range []struct{ body, want string }{
		{`{"url":"http://a.example/x?y","origins":["https://a"]}`, ""},
		{`{"url":"https://a.example","origins":[""],"method":"HEAD"}`, ""},
		{`{"url":"https://a.example","origins":["null"],"method":"PUT","preflight":true,"request_headers":["X-A"],"credentials":true}`, ""},
		{``, "the body is no such question"},
		{`{"url":"http://a.example","origins":["x"],"cookies":"a=b"}`, "unknown field"},
		{`{"url":"http://a.example","origins":["x"]} {}`, "something follows"},
		{`{"url":"/x","origins":["x"]}`, "the URL is none"},
		{`{"url":"ftp://a.example/x","origins":["x"]}`, "the URL is none"},
		{`{"url":"http://me@a.example/x","origins":["x"]}`, "the URL is none"},
		{`{"url":"http://a.example/x y","origins":["x"]}`, "the URL is none"},
		{`{"url":"http://a.example/` + long + `","origins":["x"]}`, "8192 are the most"},
		{`{"url":"http://a.example"}`, "0 origins"},
		{`{"url":"http://a.example","origins":["","","","","","","","",""]}`, "9 origins"},
		{`{"url":"http://a.example","origins":["a\r\nb"]}`, "an origin cannot stand"},
		{`{"url":"http://a.example","origins":["a"],"method":"A B"}`, "the method is none"},
		{`{"url":"http://a.example","origins":["a"],"method":"DELETE"}`, "may change something"},
		{`{"url":"http://a.example","origins":["a"],"preflight":true,"request_headers":["a b"]}`, "no name of a field"},
	} {
		_, err := Parse([]byte(c.body))
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.body, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%.80s: got %v, want %q", c.body, err, c.want)
		}
	}
}

// What a question makes is a request as a server gets it, and the answer is
// judged as Fetch says.
func TestAsk(t *testing.T) {
	allow := func(lines ...string) http.Header { return http.Header{"Access-Control-Allow-Origin": lines} }
	with := func(h http.Header, name, value string) http.Header { h[name] = []string{value}; return h }
	const a = "https://a"
	for _, c := range []struct {
		name   string
		q      Question
		origin string
		status int
		h      http.Header
		want   string // "" is readable
	}{
		{"named", Question{}, a, 200, allow(a), ""},
		{"star", Question{}, a, 200, allow("*"), ""},
		{"none", Question{}, a, 200, nil, "there is no Access-Control-Allow-Origin"},
		{"another's", Question{}, a, 200, allow("https://b"), "names another origin"},
		{"letters count", Question{}, a, 200, allow("https://A"), "names another origin"},
		{"doubled", Question{}, a, 200, allow(a, a), "there are 2"},
		{"an error may be read", Question{}, a, 500, allow(a), ""},
		{"no origin", Question{}, "", 200, nil, ""},
		{"star with credentials", Question{Credentials: true}, a, 200, allow("*"), "lets nobody in"},
		{"credentials", Question{Credentials: true}, a, 200, with(allow(a), "Access-Control-Allow-Credentials", "true"), ""},
		{"no credentials", Question{Credentials: true}, a, 200, allow(a), "is not true"},
		{"preflight", Question{Preflight: true, Method: "PUT", RequestHeaders: []string{"X-B", "x-a"}}, a, 204,
			with(with(allow(a), "Access-Control-Allow-Methods", "GET, PUT"), "Access-Control-Allow-Headers", "x-a,X-B"), ""},
		{"preflight's status", Question{Preflight: true}, a, 302, allow(a), "2xx, not with 302"},
		{"preflight's method", Question{Preflight: true, Method: "PUT"}, a, 200, with(allow(a), "Access-Control-Allow-Methods", "put"), "does not have PUT"},
		{"preflight of POST", Question{Preflight: true, Method: "POST"}, a, 200, allow(a), ""},
		{"preflight's header", Question{Preflight: true, RequestHeaders: []string{"X-A"}}, a, 200, allow(a), "does not have x-a"},
		{"stars", Question{Preflight: true, Method: "PUT", RequestHeaders: []string{"X-A"}}, a, 200,
			with(with(allow(a), "Access-Control-Allow-Methods", "*"), "Access-Control-Allow-Headers", "*"), ""},
		{"a star is no Authorization", Question{Preflight: true, RequestHeaders: []string{"Authorization"}}, a, 200,
			with(allow(a), "Access-Control-Allow-Headers", "*"), "does not have authorization"},
		{"a star is no star with credentials", Question{Preflight: true, Credentials: true, Method: "PUT"}, a, 200,
			with(with(allow(a), "Access-Control-Allow-Credentials", "true"), "Access-Control-Allow-Methods", "*"), "does not have PUT"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.q.URL, c.q.Origins = "https://h.example/a%2Fb?c", []string{c.origin}
			body, _ := json.Marshal(c.q)
			q, err := Parse(body)
			if err != nil {
				t.Fatal(err)
			}
			var got *http.Request
			answers := Ask(t.Context(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = r
				w.WriteHeader(http.StatusEarlyHints)
				for name, lines := range c.h {
					w.Header()[name] = lines
				}
				w.WriteHeader(c.status)
				w.Header().Set("Access-Control-Allow-Origin", "too late")
				_, _ = w.Write([]byte("content"))
			}), q)
			if len(answers) != 1 || answers[0].Status != c.status || answers[0].Readable != (c.want == "") || !strings.Contains(answers[0].Why, c.want) {
				t.Errorf("got %+v, want %q", answers, c.want)
			}
			method := q.Method
			if q.Preflight {
				method = http.MethodOptions
			}
			if got.Method != method || got.Host != "h.example" || got.RequestURI != "/a%2Fb?c" || got.URL.EscapedPath() != "/a%2Fb" || got.TLS == nil || got.Header.Get("Origin") != c.origin {
				t.Errorf("the request was %+v", got)
			}
		})
	}
}

// An answer that is cut is no answer, and fields that do not matter are left out.
func TestCut(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Access-Control-Allow-Origin"] = []string{"*"}
		w.Header()["Set-Cookie"] = []string{"secret"}
		if r.Header.Get("Origin") == "https://b" {
			return
		}
		_, _ = w.Write(nil)
		panic(http.ErrAbortHandler)
	})
	q := &Question{URL: "http://a.example", Method: "GET", Origins: []string{"https://a", "https://b"}}
	fields := [][2]string{{"Access-Control-Allow-Origin", "*"}}
	want := []Answer{
		{"https://a", 200, fields, false, "the answer ended early: the browser reports a network error"},
		{"https://b", 200, fields, true, "the page may read the answer"},
	}
	if d := cmp.Diff(want, Ask(t.Context(), h, q)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	defer func() {
		if recover() == nil {
			t.Error("another panic is swallowed")
		}
	}()
	Ask(t.Context(), http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("x") }), q)
}

// Whatever is asked, either it is refused or it can be asked.
func FuzzParse(f *testing.F) {
	f.Add(`{"url":"http://a.example/x?y","origins":["https://a","null"],"method":"PUT","preflight":true,"request_headers":["X-A"]}`)
	f.Add(`{"url":"https://[::1]:8/%zz","origins":[""]}`)
	f.Fuzz(func(t *testing.T, body string) {
		q, err := Parse([]byte(body))
		if err != nil {
			return
		}
		answers := Ask(context.Background(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Host == "" || r.URL.Path == "" || r.Body == nil {
				t.Errorf("%q becomes %+v", body, r)
			}
		}), q)
		if len(answers) != len(q.Origins) {
			t.Errorf("%d answers for %d origins", len(answers), len(q.Origins))
		}
	})
}
