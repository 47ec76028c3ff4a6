package app

import (
	"io"
	"net/http"
	"testing"

	"veneer/cmd/internal/config"
	"veneer/corslayer"
)

// Trailers are stripped as heads are, the announced names and the fields: a
// browser may take a trailer field for a header field (RFC 9110 §6.5.1).
func TestStripTrailers(t *testing.T) {
	up := upstreamOf(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum, Access-Control-Allow-Origin, Veneer-Exposed")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = io.WriteString(w, "content")
		w.Header().Set("X-Sum", "42")
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set(http.TrailerPrefix+"Access-Control-Expose-Headers", "X-Secret")
		w.Header().Set("Veneer-Exposed", "X-Secret")
	})
	r := run(t, testConfig(t, up, func(c *config.Config) {
		c.CORS[0].Config.MergeExpose = true
	}))
	for _, method := range []string{"GET", "POST"} {
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+r.Addrs()[0].String()+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header["Te"] = []string{"trailers"}
		req.Header["Origin"] = []string{originApp}
		res, err := r.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if len(res.Trailer) != 1 || res.Trailer.Get("X-Sum") != "42" {
			t.Errorf("%s: trailers %v, want X-Sum alone", method, res.Trailer)
		}
	}
}

// A 304 from the store exposes what the 200 does: a browser puts the list of
// the 304 in the place of its own.
func TestExposeOn304(t *testing.T) {
	up := upstreamOf(t, func(w http.ResponseWriter, _ *http.Request) {
		for name, value := range map[string]string{"Cache-Control": "max-age=60", "ETag": `"1"`, "Content-Encoding": "identity", "X-Total": "7"} {
			w.Header().Set(name, value)
		}
		_, _ = io.WriteString(w, "content")
	})
	r := run(t, testConfig(t, up, func(c *config.Config) { c.CORS[0].Config.Expose = []string{"auto"} }))
	r.get("/", "Origin: "+originApp)
	whole, _ := r.get("/", "Origin: "+originApp)
	short, _ := r.get("/", "Origin: "+originApp, `If-None-Match: "1"`)
	if short.StatusCode != http.StatusNotModified || short.Header.Get("Content-Encoding") != "" {
		t.Fatalf("got %d %v", short.StatusCode, short.Header)
	}
	if a, b := whole.Header.Get("Access-Control-Expose-Headers"), short.Header.Get("Access-Control-Expose-Headers"); a != b || a == "" {
		t.Errorf("200 exposes %q, 304 %q", a, b)
	}
}

// A GET that asked for an upgrade showed its Origin to the upstream, whose Vary
// then is true whatever the mode hides otherwise (case K3).
func TestVaryOfRefusedUpgrade(t *testing.T) {
	up := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Origin")
		w.Header().Set("Cache-Control", "public, max-age=60")
		_, _ = io.WriteString(w, r.Header.Get("Origin"))
	})
	r := run(t, testConfig(t, up, func(c *config.Config) {
		c.CORS[0].Config = corslayer.Config{Origins: []string{"*"}}
	}))
	res, body := r.get("/", "Origin: "+originOther, "Connection: Upgrade", "Upgrade: websocket")
	if body != originOther || res.Header.Get("Vary") != "Origin" {
		t.Errorf("got %q with Vary %q", body, res.Header.Get("Vary"))
	}
	if res, body = r.get("/", "Origin: "+originOther); body != "" || res.Header.Get("Vary") != "" {
		t.Errorf("without: got %q with Vary %q", body, res.Header.Get("Vary"))
	}
}

// A 304 that comes from the upstream has few of the response's fields, and so
// no list that is made of them: the browser keeps its own.
func TestExposeOnForwarded304(t *testing.T) {
	up := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "private, no-cache")
		w.Header().Set("ETag", `"1"`)
		if r.Header.Get("If-None-Match") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("X-Total", "7")
		_, _ = io.WriteString(w, "content")
	})
	r := run(t, testConfig(t, up, func(c *config.Config) { c.CORS[0].Config.Expose = []string{"auto"} }))
	whole, _ := r.get("/", "Origin: "+originApp)
	short, _ := r.get("/", "Origin: "+originApp, `If-None-Match: "1"`)
	if whole.Header.Get("Access-Control-Expose-Headers") == "" || short.StatusCode != http.StatusNotModified {
		t.Fatalf("got %v, and %d", whole.Header, short.StatusCode)
	}
	if got := short.Header.Get("Access-Control-Allow-Origin"); got != originApp || short.Header["Access-Control-Expose-Headers"] != nil {
		t.Errorf("304 with %v", short.Header)
	}
}
