package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata anew")

// direct is a transport to a handler of this process.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Result(), nil
}

// goldenReport is an application behind nginx that forgets Vary and errors.
func goldenReport(t *testing.T) *Report {
	t.Helper()
	a := goodApp()
	a.vary, a.errors = "allowed", false
	o := Options{
		URL: "https://api.example.com/users?page=1", Origins: []string{originA, originB}, Method: "PUT", Headers: []string{"Content-Type"},
		Transport: direct{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Server", "nginx/1.22.1")
			a.ServeHTTP(w, r)
		})},
	}
	s, err := o.compile()
	if err != nil {
		t.Fatal(err)
	}
	rep, err := examine(t.Context(), s, o, "0123456789ab")
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestGoldenText(t *testing.T) { golden(t, "report.txt", text(t, goldenReport(t))) }

func TestGoldenJSON(t *testing.T) {
	var b strings.Builder
	rep := goldenReport(t)
	if err := rep.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "report.json", b.String())
	var again Report
	if err := json.Unmarshal([]byte(b.String()), &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rep, &again, cmp.AllowUnexported(Exchange{})); diff != "" {
		t.Errorf("what was read is not what was written (-want +got):\n%s", diff)
	}
}

func TestPaint(t *testing.T) {
	var b strings.Builder
	rep := testRun(t, Options{}, "revalidate\n\nerror-path GET A 404\n\nhead HEAD A 200").report()
	err := rep.WriteText(&b, func(severity Severity, text string) string { return "<" + string(severity) + ">" + text + "</>" })
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"<>ok     </>  answers ", "<fault>FAULT  </>  error-no-acao ", "<note>-      </>  not-modified-no-acao ",
		"\n<fault>FAULT</> error-no-acao: The error 404", "\n<fault>verdict: 2 faults</>\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestVerdict(t *testing.T) {
	plain := func(_ Severity, text string) string { return text }
	for _, c := range []struct {
		severities []Severity
		want       string
	}{
		{nil, "verdict: good"},
		{[]Severity{Note}, "verdict: good, 1 note"},
		{[]Severity{Warning, Warning, Note}, "verdict: good, 2 warnings, 1 note"},
		{[]Severity{Fault, Warning}, "verdict: 1 fault, 1 warning"},
	} {
		var rep Report
		for _, s := range c.severities {
			rep.Findings = append(rep.Findings, Finding{Severity: s})
		}
		if got := rep.verdict(plain); got != c.want {
			t.Errorf("%v: got %q, want %q", c.severities, got, c.want)
		}
		// The same, and something is not known.
		rep.Checks = []Result{{Result: undecidedResult}, {Result: "ok"}}
		want := strings.Replace(c.want, "good", "not known", 1)
		if head, tail, more := strings.Cut(want, ","); more {
			want = head + ", 1 check not decided," + tail
		} else {
			want += ", 1 check not decided"
		}
		if got := rep.verdict(plain); got != want {
			t.Errorf("%v: got %q, want %q", c.severities, got, want)
		}
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken") }

func TestCannotPrint(t *testing.T) {
	rep := goldenReport(t)
	if rep.WriteText(brokenWriter{}, nil) == nil || rep.WriteJSON(brokenWriter{}) == nil {
		t.Error("a broken writer went unnoticed")
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n++; n == 3 {
			cancel()
		}
		goodApp().ServeHTTP(w, r)
	})
	_, err := Examine(ctx, Options{URL: "http://a.example/", Origins: []string{originA}, Transport: direct{handler}})
	if !errors.Is(err, context.Canceled) || n != 3 {
		t.Errorf("got %v after %d requests", err, n)
	}
}

// TestHostileServer: nothing that a server sends gets to a terminal as it is.
func TestHostileServer(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Access-Control-Allow-Origin"] = []string{"\x1b]0;owned\x07\u009b31m" + strings.Repeat("x", 1<<16)}
		w.Header()["Vary"] = []string{"\xff\r\nVerdict: good"}
	})
	rep, err := Examine(t.Context(), Options{URL: "http://a.example/", Origins: []string{originA}, Transport: direct{handler}})
	if err != nil {
		t.Fatal(err)
	}
	got := text(t, rep)
	if strings.ContainsAny(got, "\x1b\x07\r\u009b") || strings.Contains(got, "\nVerdict") || len(got) > 40<<10 {
		t.Errorf("%d bytes: %q", len(got), got[:min(len(got), 8<<10)])
	}
}

// FuzzAnswers: whatever a server says to everything, each question has an
// answer, and nothing in the report can move a terminal's cursor.
func FuzzAnswers(f *testing.F) {
	f.Add(200, "Access-Control-Allow-Origin: *\nVary: Origin")
	f.Add(302, "Location: /users\nAccess-Control-Allow-Origin: null")
	f.Add(204, "Access-Control-Allow-Origin: https://app.example.com\nAccess-Control-Max-Age: x\nAccess-Control-Allow-Methods: *\nAccess-Control-Allow-Credentials: true")
	f.Add(304, "Access-Control-Allow-Headers: *,\x1b\nCache-Status: a;b, ;hit\nETag: \x85\nAccess-Control-\b: x")
	f.Fuzz(func(t *testing.T, status int, lines string) {
		if status < 200 || status > 599 {
			return
		}
		h := http.Header{}
		for line := range strings.SplitSeq(lines, "\n") {
			name, value, _ := strings.Cut(line, ": ")
			h.Add(name, value)
		}
		rep := examineHandler(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			maps.Copy(w.Header(), h)
			w.WriteHeader(status)
		}), nil)
		if len(rep.Checks) != len(checks) || rep.Good != (rep.Known && rep.count(Fault) == 0) {
			t.Errorf("%d checks, good %v: %q", len(rep.Checks), rep.Good, findings(rep))
		}
		for line := range strings.SplitSeq(text(t, rep), "\n") {
			if i := strings.IndexFunc(line, unicode.IsControl); i >= 0 || !utf8.ValidString(line) {
				t.Errorf("a terminal would not like %q", line)
			}
		}
	})
}
