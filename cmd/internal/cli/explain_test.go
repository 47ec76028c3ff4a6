package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"veneer/cmd/internal/explain"
)

// explainFile is a configuration with a token file beside it.
func explainFile(t *testing.T, admin string) string {
	t.Helper()
	dir := t.TempDir()
	text := "admin: { address: '" + admin + "', token_file: admin.token }\n" +
		"cors: { app: { origins: ['https://app.example'], methods: [PUT] } }\n" +
		"upstreams: { up: { servers: 'http://127.0.0.1:9' } }\n" +
		"routes: [{ match: { host: api.example, path: / }, upstream: up, cors: app }]\n"
	for name, content := range map[string]string{"veneer.yaml": text, "admin.token": "from-the-file\n", "other.token": "other\n", "empty.token": "\n", "bad.yaml": "routes: 1\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "veneer.yaml")
}

func TestExplainExitCodes(t *testing.T) {
	file := explainFile(t, "127.0.0.1:1")
	for _, c := range []struct {
		name string
		args []string
		code int
		want string // in stdout for 0, and where something is found; else in stderr
	}{
		{"good", []string{"-c", file, "http://api.example/x", "-R", "Cache-Control: max-age=60"}, 0, "stored, fresh for 60 s"},
		{"not stored", []string{"-c", file, "http://api.example/x", "-X", "POST"}, 0, "passed to the upstream: responses to this method"},
		{"no route", []string{"-c", file, "http://other.example/x"}, 1, "404 Not Found: no route matches"},
		{"preflight", []string{"-c", file, "http://api.example/", "-X", "OPTIONS", "-H", "Origin: https://app.example", "-H", "Access-Control-Request-Method: PUT"}, 0, "204"},
		{"refused preflight", []string{"-c", file, "http://api.example/", "-X", "OPTIONS", "-H", "Origin: https://app.example", "-H", "Access-Control-Request-Method: DELETE"}, 1, `does not allow the method "DELETE"`},
		{"an error of the upstream is none of ours", []string{"-c", file, "http://api.example/x", "--status", "500"}, 0, "status 500"},
		{"no URL", []string{"-c", file}, 2, "explain needs a URL"},
		{"neither", []string{"http://api.example/"}, 2, "-c FILE, or --live"},
		{"admin without live", []string{"-c", file, "--admin", "http://127.0.0.1:1", "http://api.example/"}, 2, "with --live only"},
		{"bad field", []string{"-c", file, "http://api.example/", "-H", "Origin"}, 2, `there is no colon after "Origin"`},
		{"bad URL", []string{"-c", file, "/x"}, 2, "it must be absolute"},
		{"two URLs", []string{"-c", file, "http://a/", "http://b/"}, 2, "accepts at most 1 arg"},
		{"bad configuration", []string{"-c", filepath.Join(filepath.Dir(file), "bad.yaml"), "http://a/"}, 1, "bad.yaml:1:9: routes"},
		{"nobody listens", []string{"--live", "-c", file, "http://api.example/"}, 3, "cannot reach the admin listener at 127.0.0.1:1"},
		{"no admin URL", []string{"--live", "--admin", "ftp://a", "http://api.example/"}, 2, "--admin: got"},
		{"no token file", []string{"--live", "--token-file", "none", "http://api.example/"}, 2, "--token-file: open none"},
		{"empty token file", []string{"--live", "--token-file", filepath.Join(filepath.Dir(file), "empty.token"), "http://api.example/"}, 2, "holds no token"},
		{"port by chance", []string{"--live", "-c", explainFile(t, "127.0.0.1:0"), "http://api.example/"}, 2, "give --admin"},
		{"a reason", []string{"--reason", "vary-mismatch"}, 0, "RFC 9111 §4.1"},
		{"no such reason", []string{"--reason", "bad-luck"}, 2, `cannot explain the reason "bad-luck"`},
		{"all reasons", []string{"--list"}, 0, "no-store"},
		{"reasons and a URL", []string{"--reasons", "http://a/"}, 2, "nothing beside it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, stdout, stderr := call(t, append([]string{"explain"}, c.args...)...)
			text := stderr
			if stdout != "" {
				text = stdout
			}
			if code != c.code || !strings.Contains(text, c.want) {
				t.Errorf("got %d, stdout %q, stderr %q; want %d and %q", code, stdout, stderr, c.code, c.want)
			}
			if (stdout != "") != (stderr == "") {
				t.Errorf("both or none: stdout %q, stderr %q", stdout, stderr)
			}
		})
	}
}

// The reasons for programs are all of them, whole.
func TestExplainReasonsJSON(t *testing.T) {
	code, stdout, _ := call(t, "explain", "--reasons", "--json")
	var got []map[string]string
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != 0 {
		t.Fatalf("%d, %v", code, err)
	}
	for _, r := range got {
		if r["token"] == "" || r["sentence"] == "" || r["section"] == "" {
			t.Errorf("got %v", r)
		}
	}
	if _, text, _ := call(t, "explain", "--reasons"); strings.Count(text, "\n") != len(got)+1 {
		t.Errorf("the table has other lines than %d:\n%s", len(got), text)
	}
}

// fakeAdmin answers as an admin listener, and remembers the last question.
func fakeAdmin(t *testing.T, answer http.HandlerFunc) (url string, asked func() *http.Request) {
	t.Helper()
	var last atomic.Pointer[http.Request]
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		last.Store(r.Clone(context.Background()))
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, last.Load
}

// What --live asks and with which token, and what it makes of the answers.
func TestExplainLive(t *testing.T) {
	good := func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(&explain.Answer{Live: true, Verdict: "a hit", Error: r.URL.Query().Get("method") == "TRACE"})
	}
	problem := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, `{"detail":"because of that"}`)
		}
	}
	cut := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(200)
		panic(http.ErrAbortHandler)
	}
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		args   func(url, file string) []string
		code   int
		want   string
		token  string
	}{
		{"by the configuration", good, func(url, file string) []string { return []string{"-c", file} }, 0, "a hit", "Bearer from-the-file"},
		{"by flag", good, func(url, _ string) []string { return []string{"--admin", url} }, 0, "a hit", ""},
		{"host and port", good, func(url, _ string) []string { return []string{"--admin", strings.TrimPrefix(url, "http://")} }, 0, "a hit", ""},
		{"own token", good, func(url, file string) []string {
			return []string{"-c", file, "--admin", url, "--token-file", filepath.Join(filepath.Dir(file), "other.token")}
		}, 0, "a hit", "Bearer other"},
		{"an error of Veneer's", good, func(url, _ string) []string { return []string{"--admin", url, "-X", "TRACE"} }, 1, "a hit", ""},
		{"wrong token", problem(401), func(url, _ string) []string { return []string{"--admin", url} }, 2, "because of that; give it with --token-file", ""},
		{"bad question", problem(400), func(url, _ string) []string { return []string{"--admin", url} }, 1, "answers 400: because of that", ""},
		{"another server", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }, func(url, _ string) []string { return []string{"--admin", url} }, 1, "is it Veneer's admin listener", ""},
		{"a redirect is not followed", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		}, func(url, _ string) []string { return []string{"--admin", url} }, 1, "answers 302: Found", ""},
		{"cut", cut, func(url, _ string) []string { return []string{"--admin", url} }, 3, "cannot reach the admin listener", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			url, asked := fakeAdmin(t, c.answer)
			file := explainFile(t, strings.TrimPrefix(url, "http://"))
			args := append([]string{"explain", "--live", "http://api.example/x?q=1", "-H", "Origin: https://app.example"}, c.args(url, file)...)
			code, stdout, stderr := call(t, args...)
			if code != c.code || !strings.Contains(stdout+stderr, c.want) {
				t.Errorf("got %d, %q, %q; want %d, %q", code, stdout, stderr, c.code, c.want)
			}
			r := asked()
			if r.URL.Path != "/api/explain" || r.URL.Query().Get("url") != "http://api.example/x?q=1" || r.URL.Query().Get("header") != "Origin: https://app.example" {
				t.Errorf("asked %s", r.URL)
			}
			if got := r.Header.Get("Authorization"); got != c.token {
				t.Errorf("token %q, want %q", got, c.token)
			}
		})
	}
}

func TestReachable(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:9090": "127.0.0.1:9090", "0.0.0.0:9090": "127.0.0.1:9090", "[::]:9090": "[::1]:9090", ":9090": "127.0.0.1:9090",
		"admin.example:1": "admin.example:1", "127.0.0.1:0": "", "": "",
	} {
		if got := reachable(listen); got != want {
			t.Errorf("%q: got %q, want %q", listen, got, want)
		}
	}
}

// Whatever is asked, no credential is printed.
func TestExplainHidesCredentials(t *testing.T) {
	file := explainFile(t, "127.0.0.1:1")
	for _, format := range []string{"--json=false", "--json"} {
		_, stdout, stderr := call(t, "explain", "-c", file, format, "http://api.example/x",
			"-H", "Authorization: Bearer hunter2", "-H", "Cookie: sid=hunter2", "-H", "X-Api-Key: hunter2", "-R", "Set-Cookie: sid=hunter2", "-R", "Vary: Cookie, Authorization, X-Api-Key", "-R", "Cache-Control: public, max-age=9")
		if strings.Contains(stdout+stderr, "hunter2") || strings.Count(stdout, "(hidden)") < 4 {
			t.Errorf("%s: got %s%s", format, stdout, stderr)
		}
	}
	_, _, stderr := call(t, "explain", "-c", file, "http://api.example/x", "-H", "hunter2!Bearer x")
	if strings.Contains(stderr, "x\"") {
		t.Errorf("got %s", stderr)
	}
	if _, _, stderr := call(t, "explain", "-c", file, "http://u:hunter2@api.example/x"); strings.Contains(stderr, "hunter2") {
		t.Errorf("got %s", stderr)
	}
}

func TestExplainCannotPrint(t *testing.T) {
	var stderr strings.Builder
	code := Main(t.Context(), []string{"explain", "-c", explainFile(t, "127.0.0.1:1"), "http://api.example/"}, brokenWriter{}, &stderr)
	if want := "veneer: cannot print: broken\n"; code != exitFinding || stderr.String() != want {
		t.Errorf("got %d, %q", code, stderr.String())
	}
}
