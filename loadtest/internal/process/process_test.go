package process

import (
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

func settings() Settings {
	return Settings{
		Upstream: "127.0.0.1:9", StoreMiB: 8, Origins: 4, ResponseTimeout: time.Second,
		Listed: []string{"https://app.load.test", "https://*.tenant.test"},
	}
}

// TestProgram runs the real one: it starts, answers on both listeners, reloads,
// refuses a bad configuration and says so, and ends.
func TestProgram(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs the program")
	}
	binary, err := Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p, err := Start(t.Context(), binary, t.TempDir(), settings())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Stop() }()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.Roots(), ServerName: Host}}
	defer transport.CloseIdleConnections()
	for _, base := range []string{"http://" + p.Address(false), "https://" + p.Address(true)} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/own/x", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.StatusCode != http.StatusBadGateway {
			t.Errorf("%s without an upstream: %s, want 502", base, res.Status)
		}
	}
	if u, err := p.Usage(); runtime.GOOS == "linux" && (err != nil || u.RSS < 4<<20 || u.RSS > 1<<30 || u.Files < 5 || u.At.IsZero()) {
		t.Errorf("it uses %+v, %v", u, err)
	}
	for kind, what := range map[string]string{"url": "http://load.test/own/x", "prefix": "https://load.test/own", "tag": "t", "all": ""} {
		if n, err := p.Purge(t.Context(), kind, what, true); n != 0 || err != nil {
			t.Errorf("purge by %s: %d, %v; nothing is stored", kind, n, err)
		}
	}
	if _, err := p.Purge(t.Context(), "prefix", "/own", false); err == nil || !strings.Contains(err.Error(), "no scheme and host") {
		t.Errorf("a bad purge: %v", err)
	}
	reloads(t, p)
	if a := p.Alarm(); a != "" {
		t.Errorf("alarm: %s", a)
	}
	for range 2 {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	}
	if a := p.Alarm(); !strings.Contains(a, "ended") {
		t.Errorf("after its end the alarm is %q", a)
	}
}

func TestStartOfWhatEnds(t *testing.T) {
	for _, binary := range []string{"/bin/false", "/nowhere/at/all"} {
		if _, err := Start(t.Context(), binary, t.TempDir(), settings()); err == nil {
			t.Errorf("%s started", binary)
		}
	}
}

func TestUsageOfThisProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	before, err := usage(os.Getpid())
	if err != nil || before.RSS <= 0 {
		t.Fatalf("%+v, %v", before, err)
	}
	const more = 64 << 20
	grown := make([]byte, more)
	for i := 0; i < more; i += 4096 {
		grown[i] = 1
	}
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	after, err := usage(os.Getpid())
	if err != nil || after.RSS-before.RSS < more/2 || after.Files <= before.Files {
		t.Errorf("before %+v, after %d MiB more and a file: %+v, %v", before, more>>20, after, err)
	}
	runtime.KeepAlive(grown)
}

func TestResident(t *testing.T) {
	for _, c := range []struct {
		status string
		want   int64
		ok     bool
	}{
		{"Name:\tveneer\nVmPeak:\t  99 kB\nVmRSS:\t    1234 kB\nThreads:\t7\n", 1234 << 10, true},
		{"Name:\tveneer\nState:\tZ (zombie)\n", 0, false},
		{"VmRSS:\tmuch kB\n", 0, false},
	} {
		if got, err := resident(c.status); got != c.want || (err == nil) != c.ok {
			t.Errorf("%q: %d, %v; want %d", c.status, got, err, c.want)
		}
	}
}

func TestJournal(t *testing.T) {
	j := newJournal()
	_, changed := j.addresses()
	for _, part := range []string{
		"time=1 level=INFO msg=\"admin listening\" address=127.0.0.1:1\ntime=2 lev", "el=INFO msg=listening address=127.0.0.1:2\n",
		"msg=reloaded\nmsg=reloaded\n",
	} {
		if n, err := io.WriteString(j, part); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	select {
	case <-changed:
	default:
		t.Error("who waits for a line is not told")
	}
	if got, _ := j.addresses(); strings.Join(got, " ") != "127.0.0.1:1 127.0.0.1:2" {
		t.Errorf("addresses %q", got)
	}
	if n, _ := j.count(wordReloaded); n != 2 || j.alarm() != "" {
		t.Errorf("%d reloads, alarm %q; want 2 and none", n, j.alarm())
	}
	for range 10 * linesKept {
		io.WriteString(j, "a line\n")
	}
	io.WriteString(j, "http: panic serving 127.0.0.1:3: oh\n")
	if got := j.alarm(); !strings.Contains(got, "oh") || len(j.last) > 2*linesKept || !strings.HasSuffix(j.tail(), "oh") {
		t.Errorf("alarm %q, %d lines kept, tail %q", got, len(j.last), j.tail())
	}
}
