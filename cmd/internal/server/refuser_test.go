package server

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"veneer/cache/cachestatus"
)

// refuser answers for what the server refuses. Its own requests panic.
type refuser struct{ broken bool }

func (refuser) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("X-Half", "made")
	panic("at work")
}

func (f refuser) Refuse(w http.ResponseWriter, _ *http.Request, status int, reason cachestatus.Reason, detail string) {
	w.Header().Set("X-Refuser", "yes")
	if f.broken {
		panic("again")
	}
	w.WriteHeader(status)
	fmt.Fprintf(w, "%v: %s", reason, detail)
}

// A handler that can answer for the server does, and one that cannot is none
// the worse for it.
func TestRefuser(t *testing.T) {
	big := strings.Repeat("x", 40<<10)
	fallback := `{"type":"urn:veneer:problem:internal","title":"Internal Server Error","status":500,"detail":"the request could not be handled"}`
	for _, c := range []struct {
		name           string
		handler        refuser
		target, field  string
		status         int
		text           string
		refuser, other string // fields of the response
	}{
		{"head", refuser{}, "/", big, 431, "bad-request: the request's target and fields are larger than this server takes", "yes", ""},
		{"target", refuser{}, "/" + big, "", 414, "bad-request: the request's target is longer than this server takes", "yes", ""},
		{"panic", refuser{}, "/", "", 500, "internal: the request could not be handled", "yes", ""},
		{"panic in both", refuser{broken: true}, "/", "", 500, fallback, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, Config{Handler: c.handler, Log: slog.New(slog.DiscardHandler)})
			r, err := http.NewRequest("GET", "http://"+s.Addrs()[0].String()+c.target, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-Big", c.field)
			res, err := new(http.Transport).RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			content, _ := io.ReadAll(res.Body)
			if res.StatusCode != c.status || string(content) != c.text {
				t.Errorf("got %d %s, want %d %s", res.StatusCode, content, c.status, c.text)
			}
			if got := res.Header.Get("X-Refuser"); got != c.refuser || res.Header.Get("X-Half") != c.other {
				t.Errorf("fields of a half-made response are left: %v", res.Header)
			}
		})
	}
}

// late answers, and panics then.
type late struct{ refuser }

func (late) Refuse(w http.ResponseWriter, _ *http.Request, status int, _ cachestatus.Reason, _ string) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "begun")
	panic("after the answer")
}

// An answer that has begun is not followed by another: it is cut.
func TestRefuserPanicsLate(t *testing.T) {
	s := start(t, Config{Handler: late{}, Log: slog.New(slog.DiscardHandler)})
	res, err := new(http.Transport).RoundTrip(&http.Request{Method: "GET", URL: mustURL(t, "http://"+s.Addrs()[0].String()+"/")})
	if err != nil {
		return // cut before anything was sent
	}
	defer res.Body.Close()
	if content, err := io.ReadAll(res.Body); err == nil || string(content) != "begun" && len(content) > 0 {
		t.Errorf("got %d %q, %v", res.StatusCode, content, err)
	}
}

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
