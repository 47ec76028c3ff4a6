package browser

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"veneer/cmd/internal/chromium"
)

// scene is all that a test plays in. In the texts of cases {A}, {B} and {C}
// are the origins of three pages, {P} is Veneer's own, {L} is Veneer by another
// name, {W} is for its WebSockets, {X} is the application without Veneer.
type scene struct {
	*proxy
	app     *application
	fill    *strings.Replacer // names to origins
	letters *strings.Replacer // and back
	urls    map[string]string // pages by name
}

// document is the page of every origin: perform fetches and tells what a
// script can see of the response. A page whose query is "sandboxed" does it in
// a sandboxed frame, whose origin is opaque.
const document = `<!doctype html><title>page</title><link rel="icon" href="data:,"><script>
async function perform(url, init) {
  const seen = {type: "", status: 0, fields: [], body: ""};
  try {
    const response = await fetch(url, init);
    seen.type = response.type;
    seen.status = response.status;
    seen.fields = [...response.headers.keys()];
    seen.body = await response.text();
  } catch (e) {
    seen.type = e.name;
  }
  return seen;
}
if (location.search === "?sandboxed") {
  const frame = document.createElement("iframe");
  frame.sandbox = "allow-scripts";
  frame.srcdoc = "<script>" + perform + "onmessage = async e => parent.postMessage(await perform(...e.data), '*')</scr" + "ipt>";
  const ready = new Promise(resolve => frame.onload = resolve);
  document.documentElement.append(frame);
  perform = async (...request) => {
    await ready;
    return new Promise(resolve => {
      addEventListener("message", e => resolve(e.data), {once: true});
      frame.contentWindow.postMessage(request, "*");
    });
  };
}
</script>`

// set makes a scene. The configuration is what follows the listeners; in it
// {app} is the application, {gone} is where nobody listens, and {silent} is
// where nobody answers.
func set(t *testing.T, config string) *scene {
	t.Helper()
	chromium.Need(t)
	s := &scene{app: &application{page: document, count: map[string]int{}, special: map[string]http.HandlerFunc{}}}
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, document)
	})
	names := []string{"{X}", listen(t, s.app), "{A}", listen(t, page), "{B}", listen(t, page), "{C}", listen(t, page)}
	s.letters = invert(names)
	s.app.letters = s.letters
	hidden := []string{"{app}", names[1], "{gone}", "http://" + gone(t), "{silent}", "http://" + silent(t)}
	s.fill = strings.NewReplacer(append(names, hidden...)...)
	s.proxy = serve(t, s.config(config))
	names = append(names, "{P}", s.url, "{L}", strings.Replace(s.url, "127.0.0.1", "localhost", 1),
		"{W}", strings.Replace(s.url, "http:", "ws:", 1))
	s.fill, s.letters = strings.NewReplacer(append(names, hidden...)...), invert(names)
	s.app.letters = s.letters
	s.urls = map[string]string{"N": s.fill.Replace("{A}/?sandboxed")}
	for _, name := range []string{"A", "B", "C"} {
		s.urls[name] = s.fill.Replace("{" + name + "}/")
	}
	return s
}

// config completes a configuration.
func (s *scene) config(text string) string {
	return s.fill.Replace("server: { http: \"127.0.0.1:0\", limits: { body_bytes: 4KiB } }\nadmin: { address: \"127.0.0.1:0\" }\n" + text)
}

// change reloads Veneer with one thing different in a configuration.
func (s *scene) change(config, from, to string) {
	s.reload(s.config(strings.Replace(config, from, to, 1)))
}

// invert makes the replacer of values by names, without their braces.
func invert(names []string) *strings.Replacer {
	var back []string
	for pair := range slices.Chunk(names, 2) {
		back = append(back, pair[1], strings.Trim(pair[0], "{}"))
	}
	return strings.NewReplacer(back...)
}

func listen(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		server.CloseClientConnections() // a browser keeps its connections
		server.Close()
	})
	return server.URL
}

// gone returns an address that nobody listens on.
func gone(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// silent returns an address where connections are taken and never answered.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String() // the system's queue takes them
}

// trial is one case.
type trial struct {
	name  string
	steps []step
	calls []string // what the application saw, in order; nil is not compared
}

// step is one thing that happens in a trial.
type step struct {
	at   string // the page: A, B, C, P, N (in A, sandboxed); "navigate" to get; "curl", which is no browser
	get  string // what it fetches, from Veneer unless it begins with {X}
	init string // the second argument of fetch
	js   string // in place of get: a script whose promise becomes a string
	do   func(s *scene)
	want string
}

// play runs the trials, each in a tab of its own.
func (s *scene) play(t *testing.T, trials []trial) {
	t.Helper()
	for _, c := range trials {
		t.Run(c.name, func(t *testing.T) {
			b := open(t)
			s.app.taken()
			var want, got []string
			for _, st := range c.steps {
				if st.do != nil {
					st.do(s)
					continue
				}
				what := "at " + st.at + ": " + st.get + st.js
				want = append(want, what, "  "+st.want)
				got = append(got, what, "  "+s.letters.Replace(s.step(t, b, st)))
			}
			if c.calls != nil {
				want, got = append(want, c.calls...), append(got, s.app.taken()...)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("what the pages saw, and then the application (-want +got):\n%s\nDevTools:\n%s", diff, s.letters.Replace(b.evidence()))
			}
		})
	}
}

// step does one step and returns what came of it.
func (s *scene) step(t *testing.T, b *tab, st step) string {
	t.Helper()
	target := s.fill.Replace(st.get)
	if strings.HasPrefix(target, "/") {
		target = s.url + target
	}
	switch st.at {
	case "curl":
		return curl(t, target)
	case "navigate":
		mark := b.mark()
		b.visit(target)
		seen := sight{Type: "document", Status: 200, Body: evaluate[string](b, "document.body.innerText")}
		return render(seen, b.since(mark))
	}
	page := s.urls[st.at]
	if st.at == "P" {
		page = s.url + "/plain/?page"
	}
	b.visit(page)
	if st.js != "" {
		return evaluate[string](b, s.fill.Replace(st.js))
	}
	mark := b.mark()
	init := st.init
	if init == "" {
		init = "{}"
	}
	seen := evaluate[sight](b, fmt.Sprintf("perform(%s, %s)", quote(target), s.fill.Replace(init)))
	return render(seen, b.since(mark))
}

// quote writes a string as a script does.
func quote(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic("BUG: cannot quote a string: " + err.Error())
	}
	return string(b)
}

// sight is what a page's script can see of a response.
type sight struct {
	Type   string   `json:"type"` // of the Response, or the name of the exception
	Status int      `json:"status"`
	Fields []string `json:"fields"` // names, sorted
	Body   string   `json:"body"`
}

// safelisted are the fields that every page can read: Fetch, "CORS-safelisted
// response-header name".
var safelisted = regexp.MustCompile(`^(cache-control|content-language|content-length|content-type|expires|last-modified|pragma)$`)

// problem finds the reason in an error that Veneer made.
var problem = regexp.MustCompile(`^\{"type":"urn:veneer:problem:([^"]+)"`)

// render makes the line of a step: the preflights and redirects on the way, then
// what the script saw, and where that came from.
func render(seen sight, requests []request) string {
	var line strings.Builder
	var own []request
	for _, r := range requests {
		switch {
		case !r.preflight:
			own = append(own, r)
		case r.failure != "":
			fmt.Fprintf(&line, "preflight %s > ", r.failure)
		default:
			fmt.Fprintf(&line, "preflight %d > ", r.status)
		}
	}
	final := own[len(own)-1]
	for _, r := range own[:len(own)-1] {
		fmt.Fprintf(&line, "%d > ", r.status)
	}
	switch {
	case seen.Type == "TypeError":
		line.WriteString("blocked " + final.failure)
		return line.String()
	case strings.HasPrefix(seen.Type, "opaque"):
		line.WriteString(seen.Type)
	default:
		fmt.Fprintf(&line, "%s %d", seen.Type, seen.Status)
	}
	if words := problem.FindStringSubmatch(seen.Body); words != nil {
		line.WriteString(" problem " + words[1])
	} else if seen.Body != "" {
		fmt.Fprintf(&line, " %q", seen.Body)
	}
	if seen.Type == "cors" {
		exposed := slices.DeleteFunc(slices.Clone(seen.Fields), safelisted.MatchString)
		if len(exposed) > 0 {
			fmt.Fprintf(&line, " {%s}", strings.Join(exposed, " "))
		}
	}
	if source := final.source(); source != "" {
		fmt.Fprintf(&line, " [%s]", source)
	}
	return line.String()
}

// curl asks as a client that is no browser does.
func curl(t *testing.T, url string) string {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	r := request{head: &head{int64(res.StatusCode), res.Header.Get("Cache-Status")}}
	return fmt.Sprintf("%d %q [%s]", res.StatusCode, body, r.source())
}
