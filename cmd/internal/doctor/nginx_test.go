package doctor

import (
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// nginxPath finds nginx where Debian puts it too, which is not in everybody's
// PATH.
func nginxPath(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"nginx", "/usr/sbin/nginx"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("nginx is not installed")
	}
	t.Skip("nginx is not installed")
	return ""
}

// nginxFrame is what every configuration has around its location. Everything
// that nginx writes is below its prefix.
const nginxFrame = `
daemon off;
USER
pid nginx.pid;
error_log stderr warn;
events {}
http {
	access_log off;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	proxy_cache_path cache keys_zone=c:1m;
	MAP
	server {
		listen ADDRESS;
		location / {
			ON_OPTIONS
			proxy_pass APP;
			LOCATION
		}
	}
}
`

// nginx runs nginx in front of an application and returns its URL. It hands
// the listening socket over, as nginx does to itself when it is upgraded, so
// that there is nothing to wait for.
func nginx(t *testing.T, a app, location string, answersOptions bool) string {
	t.Helper()
	return nginxWith(t, a, nginxMap, location, answersOptions)
}

// nginxMap is what the fixes print for A and B.
const nginxMap = "map $http_origin $cors_origin { " + originA + " $http_origin; " + originB + " $http_origin; }"

func nginxWith(t *testing.T, a app, http, location string, answersOptions bool) string {
	t.Helper()
	path := nginxPath(t)
	upstream := httptest.NewServer(a)
	t.Cleanup(upstream.Close)
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	socket, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	onOptions := ""
	if answersOptions {
		onOptions = "if ($request_method = OPTIONS) { return 204; }"
	}
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;" // nobody else may enter the prefix
	}
	prefix := t.TempDir()
	conf := strings.NewReplacer("USER", user, "MAP", http, "ADDRESS", l.Addr().String(), "APP", upstream.URL, "LOCATION", location, "ON_OPTIONS", onOptions).Replace(nginxFrame)
	if err := os.WriteFile(filepath.Join(prefix, "nginx.conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	cmd := exec.Command(path, "-p", prefix, "-c", "nginx.conf", "-e", "stderr")
	cmd.Env = append(os.Environ(), "NGINX=3;")
	cmd.ExtraFiles = []*os.File{socket}
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	socket.Close()
	l.Close() // from now on it is nginx's alone: were it to end, connections would be refused
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // a kill would leave its worker behind; it may have ended
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("nginx says:\n%s", log.String())
		}
	})
	return "http://" + l.Addr().String()
}

const (
	nginxCORS = `
			add_header Access-Control-Allow-Origin $cors_origin always;
			add_header Access-Control-Allow-Credentials true always;
			add_header Access-Control-Allow-Methods "GET, PUT" always;
			add_header Access-Control-Allow-Headers "Content-Type, Authorization" always;
			add_header Access-Control-Max-Age 600 always;
			add_header Vary Origin always;`
	nginxHide = `
			proxy_hide_header Access-Control-Allow-Origin;
			proxy_hide_header Access-Control-Allow-Credentials;
			proxy_hide_header Access-Control-Allow-Methods;
			proxy_hide_header Access-Control-Allow-Headers;
			proxy_hide_header Access-Control-Max-Age;
			proxy_hide_header Vary;`
	nginxCache = `
			proxy_cache c;
			proxy_ignore_headers Vary;`
	// nginxKey leaves strangers one entry between them.
	nginxKey = `
			proxy_cache_key $scheme$proxy_host$request_uri$cors_origin;`
	nginxShowCache = `
			add_header X-Cache-Status $upstream_cache_status always;`
)

// TestNginx is the seed's good configuration and its three bad ones, of which
// each is caught with its own faults and no other.
func TestNginx(t *testing.T) {
	withoutVary := goodApp()
	withoutVary.vary = "never"
	for _, c := range []struct {
		name           string
		app            app
		location       string
		answersOptions bool
		want           []string
		fixes          []string // that belong to nginx, each once
	}{
		{"good", goodApp(), nginxHide + nginxCORS + nginxCache + nginxKey + nginxShowCache, true, nil, nil},
		{"good, the application knows no CORS", app{}, nginxCORS + nginxCache + nginxKey + nginxShowCache, true, nil, nil},
		{"doubled", goodApp(), nginxCORS + nginxCache + nginxKey + nginxShowCache, true,
			[]string{"fault double-headers"},
			[]string{"proxy_hide_header Access-Control-Allow-Origin; (and one line for each other Access-Control- field) beside add_header, or take the add_header lines out"}},
		{"without always", goodApp(), nginxHide + strings.ReplaceAll(nginxCORS, " always;", ";"), true,
			[]string{"fault error-no-acao"},
			[]string{"add_header Access-Control-Allow-Origin $cors_origin always; (it is always that covers errors)"}},
		{"somebody else's origin is stored", withoutVary, nginxCache + nginxShowCache, false,
			[]string{
				"fault vary-missing", "fault vary-missing-refused", "fault foreign-acao",
				"fault poisoned-no-origin", "fault poisoned-refused", "fault not-modified-foreign-acao",
			},
			[]string{
				"in the location: add_header Vary Origin always; (in every one that has an Access-Control- add_header)",
				"in http: " + nginxMap + " in the location: proxy_cache_key $scheme$proxy_host$request_uri$cors_origin;",
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			rep := examineServer(t, nginx(t, c.app, c.location, c.answersOptions), nil)
			if diff := cmp.Diff(c.want, findings(rep)); diff != "" {
				t.Errorf("(-want +got):\n%s\n%s", diff, text(t, rep))
			}
			var fixes []string
			for _, f := range rep.Findings {
				if f.Server != "nginx" {
					t.Errorf("%s: the fix is %s's", f.ID, f.Server)
				}
				if len(fixes) == 0 || fixes[len(fixes)-1] != f.Fix {
					fixes = append(fixes, f.Fix)
				}
			}
			if diff := cmp.Diff(c.fixes, fixes); diff != "" {
				t.Errorf("fixes (-want +got):\n%s", diff)
			}
			if rep.Good != (c.want == nil) {
				t.Errorf("good: %v", rep.Good)
			}
		})
	}
}

// inNginx reads a fix for nginx: what belongs into http, and into the location.
var inNginx = regexp.MustCompile(`^(?:in http: (map .*? \}) )?in the location: (.*[;}])`)

// TestNginxFixes does what is printed until there is nothing more to do: that
// cures.
func TestNginxFixes(t *testing.T) {
	withoutVary := goodApp()
	withoutVary.vary = "never"
	silentOptions := goodApp()
	silentOptions.credentials, silentOptions.preflight = false, 0
	for _, c := range []struct {
		name     string
		app      app
		location string
		rounds   int // the last finds nothing
	}{
		{"somebody else's origin is stored", withoutVary, nginxCache + nginxShowCache, 2},
		{"no CORS at all", app{}, "", 3},
		{"no CORS at all, and a cache", app{}, nginxCache + nginxShowCache, 3},
		{"OPTIONS is forgotten", silentOptions, "", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			http, lines := "", []string{c.location}
			for round := 1; ; round++ {
				rep := examineServer(t, nginxWith(t, c.app, http, strings.Join(lines, "\n"), false), nil)
				if rep.Good {
					if round != c.rounds {
						t.Errorf("good after %d rounds, want %d", round, c.rounds)
					}
					return
				}
				if round == c.rounds {
					t.Fatalf("not cured by\n%s\n%s\n%s", http, strings.Join(lines, "\n"), text(t, rep))
				}
				for _, f := range rep.Findings {
					part := inNginx.FindStringSubmatch(f.Fix)
					if f.Server != "nginx" || part == nil {
						t.Fatalf("%s: cannot do %q", f.ID, f.Fix)
					}
					if part[1] != "" {
						http = part[1]
					}
					if !slices.Contains(lines, part[2]) {
						lines = append(lines, part[2])
					}
				}
			}
		})
	}
}

// TestNginxEvidence: the two answers that show the worst fault of all.
func TestNginxEvidence(t *testing.T) {
	a := goodApp()
	a.vary = "never"
	rep := examineServer(t, nginx(t, a, nginxCache+nginxShowCache, false), nil)
	var b strings.Builder
	for _, f := range rep.Findings {
		if f.ID == "foreign-acao" {
			rep.finding(&b, f, func(_ Severity, text string) string { return text })
		}
	}
	nonce, _, _ := strings.Cut(strings.SplitAfter(rep.exchange(probeFirstA).URL, "veneer-doctor=")[1], "-")
	got := strings.ReplaceAll(b.String(), nonce, "0123456789ab")
	want := fmt.Sprintf(`
FAULT foreign-acao: B gets Access-Control-Allow-Origin: %s once A's answer is stored.
  The cache key lacks Origin, so B got A's stored response, which B's browser refuses.
                                      A first                                  | B after A
    request                           GET /users?veneer-doctor=0123456789ab-1  | GET /users?veneer-doctor=0123456789ab-1
    Origin                            https://app.example.com                  | https://partner.example.com
    status                            200                                      | 200
    Access-Control-Allow-Credentials  true                                     | true
    Access-Control-Allow-Origin       https://app.example.com                  | https://app.example.com
    Cache-Control                     public, max-age=60                       | public, max-age=60
    ETag                              "v1"                                     | "v1"
    Vary                              -                                        | -
    X-Cache-Status                    MISS                                     | HIT
  fix (nginx): in http: %s in the location: proxy_cache_key $scheme$proxy_host$request_uri$cors_origin;
`, originA, nginxMap)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
