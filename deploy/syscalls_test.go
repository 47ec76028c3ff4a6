package deploy

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// What the program calls of the kernel, from its start over traffic and a
// reload to its end, is what the unit lets it call. systemd is not needed to
// see it.
func TestSystemdCalls(t *testing.T) {
	strace := tool(t, "strace", "strace")
	analyze := tool(t, "systemd-analyze", "systemd")
	trace := filepath.Join(t.TempDir(), "trace")
	traffic(t, strace, trace)
	called := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\d+ +([a-z0-9_]+)\(`).FindAllStringSubmatch(read(t, trace), -1) {
		called[m[1]] = true
	}
	if !called["accept4"] || !called["writev"] && !called["write"] {
		t.Fatalf("the trace has no connection: it proves nothing: %v", called)
	}
	allowed := filter(t, analyze, "@system-service")
	for _, without := range []string{"@privileged", "@resources"} {
		for name := range filter(t, analyze, without) {
			delete(allowed, name)
		}
	}
	unit := read(t, "systemd/veneer.service")
	if !strings.Contains(unit, "\nSystemCallFilter=@system-service\nSystemCallFilter=~@privileged @resources\n") {
		t.Error("the unit has another filter than this test looks at")
	}
	always := filter(t, analyze, "@default")
	for name := range called {
		if !allowed[name] && !always[name] {
			t.Errorf("the program calls %s, which the unit forbids", name)
		}
	}
}

// filter returns the calls of a group, those of groups in it too.
func filter(t *testing.T, analyze, group string) map[string]bool {
	t.Helper()
	out, err := output(t, exec.Command(analyze, "syscall-filter", "--no-pager", group))
	if err != nil {
		t.Fatalf("%s: %v\n%s", group, err, out)
	}
	calls := map[string]bool{}
	for i, line := range strings.Split(out, "\n") {
		switch name := strings.TrimSpace(line); {
		case i == 0 || name == "" || name[0] == '#':
		case name[0] == '@':
			for call := range filter(t, analyze, name) {
				calls[call] = true
			}
		default:
			calls[name] = true
		}
	}
	return calls
}

// traffic runs the program under strace through what it does in its life.
func traffic(t *testing.T, strace, trace string) {
	t.Helper()
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stored" {
			w.Header().Set("Cache-Control", "max-age=60")
		}
		fmt.Fprint(w, strings.Repeat("content ", 64<<10))
	}))
	defer up.Close()
	dir, proxy, admin := t.TempDir(), freeAddress(t), freeAddress(t)
	file := filepath.Join(dir, "veneer.yaml")
	write(t, file, fmt.Sprintf("server: { http: %q }\nadmin: { address: %q }\nupstreams: { app: { servers: %q } }\nroutes: [{ match: { path: / }, upstream: app }]\n", proxy, admin, up.URL))
	// The program is the process that is started, and strace its child (-D): a
	// signal reaches it.
	p := start(t, "veneer under strace", exec.Command(strace, "-D", "-f", "-qq", "-o", trace, veneer(t), "serve", "-c", file))
	p.await(t, func() bool { return ready(t, admin) })
	for _, path := range []string{"/stored", "/stored", "/unstored", "/unstored"} {
		must(t, "GET", "http://"+proxy+path, "")
	}
	must(t, "POST", "http://"+proxy+"/form", strings.Repeat("field=value&", 10000))
	must(t, "GET", "http://"+admin+"/metrics", "")
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.await(t, func() bool { return strings.Contains(p.said.String(), "reloaded") })
	p.stop(t)
}
