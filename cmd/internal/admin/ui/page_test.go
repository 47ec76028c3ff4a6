package ui_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"veneer/cmd/internal/app"
	"veneer/cmd/internal/chromium"
	"veneer/cmd/internal/config"
)

const (
	originApp      = "https://app.example.com"
	originStranger = "https://evil.example.net"
)

const scenery = `server: { http: "127.0.0.1:0" }
admin: { address: "127.0.0.1:0"%s }
cors:
  partners: { origins: ["` + originApp + `", "https://*.partner.example.com"], methods: [GET, PUT], headers: [X-A] }
upstreams:
  up: { servers: ["%s"] }
routes:
  - { match: { path: / }, upstream: up, cors: partners }
`

// scene is the real proxy with a real application behind it.
type scene struct {
	t           *testing.T
	proxy, page string
	file        string
	stop        func()
	served      atomic.Int64 // requests that the application got
}

// stage makes a scene; with a token where one is given.
func stage(t *testing.T, token string) *scene {
	t.Helper()
	chromium.Need(t)
	s := &scene{t: t, file: filepath.Join(t.TempDir(), "veneer.yaml")}
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.served.Add(1)
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Cache-Control", "max-age=600")
		w.Header().Set("Surrogate-Key", "all")
		if strings.HasPrefix(r.URL.Path, "/private") {
			w.Header().Set("Cache-Control", "private")
		}
		fmt.Fprint(w, strings.Repeat("0123456789", 100))
	}))
	t.Cleanup(up.Close)
	s.configure(fmt.Sprintf(scenery, tokenField(t, token), up.URL))
	s.start("")
	return s
}

// start runs the proxy until stop or the end of the test; its admin listener is
// at an address, if one is given.
func (s *scene) start(address string) {
	t := s.t
	t.Helper()
	load := func() (*config.Config, config.Problems) { return config.Load(s.file) }
	cfg, problems := load()
	if cfg == nil {
		t.Fatal(problems)
	}
	if address != "" {
		cfg.Admin.Address = address
	}
	a, err := app.Build(cfg, app.Options{Log: slog.New(slog.DiscardHandler), Version: "v9.8.7", Load: load})
	if err != nil {
		t.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- a.Run(context.Background()) }()
	s.stop = sync.OnceFunc(func() {
		ended, cancel := context.WithCancel(context.Background())
		cancel() // a browser keeps its connections
		_ = a.Drain(ended)
		<-ran
	})
	t.Cleanup(s.stop)
	s.proxy, s.page = "http://"+a.Addrs()[0].String(), "http://"+a.AdminAddr().String()+"/"
}

func tokenField(t *testing.T, token string) string {
	t.Helper()
	if token == "" {
		return ""
	}
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return `, token_file: "` + file + `"`
}

// configure writes the configuration file.
func (s *scene) configure(text string) {
	s.t.Helper()
	if err := os.WriteFile(s.file, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// ask sends a request through the proxy.
func (s *scene) ask(path, origin string) {
	s.t.Helper()
	r, err := http.NewRequest(http.MethodGet, s.proxy+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		s.t.Fatal(err)
	}
}

// card waits for the figure of a card.
func (b *tab) card(name, figure string) {
	b.t.Helper()
	b.wait(fmt.Sprintf("[...document.querySelectorAll('.card')].some(c => c.querySelector('h3').textContent === %q && c.innerText.includes(%q))", name, figure))
}

// The page loads and shows figures that move with the traffic, drawn as charts,
// and everything comes from the listener itself.
func TestBrowserLiveFigures(t *testing.T) {
	s := stage(t, "")
	b := open(t, s.page, "light", 1280)
	b.shows("#state", "serving")
	b.shows("#version", "v9.8.7")
	b.card("Requests a second", "0 in all")
	s.ask("/a", originApp)
	b.card("Stored", "1") // the client may have it before the store does
	for range 3 {
		s.ask("/a", originApp)
	}
	b.card("Requests a second", "4 in all")
	b.card("Hit ratio", "75 % in all")
	b.card("Bytes saved", "2.9 KiB in all")
	b.card("Stored", "1")
	b.wait("document.querySelectorAll('#chart-requests svg[role=img] g rect').length >= 2")
	b.wait("document.querySelectorAll('#chart-bytes svg[role=img] g rect').length >= 2")
	b.wait("document.querySelectorAll('#chart-ratio svg[role=img] g :is(path, circle)').length >= 1")
	b.shows("#upstreams", "healthy")
	s.ask("/b", "")
	b.card("Requests a second", "5 in all") // by itself

	// Arrow keys read the chart out.
	b.wait("document.querySelector('#chart-requests svg[role=img]').focus() === undefined")
	b.press(kb.End)
	b.wait("/^[0-9:]+: /.test(document.querySelector('#chart-requests .readout').textContent)")

	// A route unfolds to its origins.
	b.shows("#routes-body", "own: partners")
	b.click("#routes-body .unfold")
	b.shows("#routes-body tr.part", originApp)
	b.shows("#routes-body tr.part", "without an Origin")

	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.asked) < 10 {
		t.Errorf("DevTools tells of %d requests only", len(b.asked))
	}
	for _, url := range b.asked {
		if !strings.HasPrefix(url, s.page) {
			t.Errorf("the page has asked %s", url)
		}
	}
}

// The other range has a history of its own.
func TestBrowserDay(t *testing.T) {
	s := stage(t, "")
	b := open(t, s.page, "light", 1280)
	b.shows("#state", "serving")
	b.click("#range label:last-of-type span")
	b.card("Hit ratio", "in a day")
	b.wait("document.querySelector('#range input[value=day]').checked")
}

// A request that was a miss says why and what to do about it, and Explain says
// what would become of it now.
func TestBrowserWhyAMiss(t *testing.T) {
	s := stage(t, "")
	s.ask("/private/x?q=<img/src=x>", originApp)
	s.ask("/a", "")
	b := open(t, s.page, "light", 1280)
	b.shows("#requests-body tr", "/private/x")
	b.shows("#requests-body tr .reason", "private")
	b.shows("#requests-body tr", originApp)
	if n := eval[int](b, "document.querySelectorAll('#requests-body img').length"); n != 0 {
		t.Errorf("a URL has become %d elements", n)
	}
	b.write("#requests-text", "private/")
	b.wait("document.querySelectorAll('#requests-body tbody tr').length === 1")
	b.click("#requests-body tbody tr button")
	b.shows("#more .verdict", "not stored")
	b.shows("#more .facts", "partners")
	b.shows("#more .outcome", "hit-for-miss")
	b.press(kb.Escape)
	b.wait("!document.getElementById('more').open")

	// What is paused stays as it is.
	b.write("#requests-text", " ")
	b.click("#requests-pause")
	b.shows("#requests-note", "paused")
	s.ask("/later", "")
	b.card("Requests a second", "3 in all")
	if strings.Contains(eval[string](b, "document.getElementById('requests-body').innerText"), "/later") {
		t.Error("the list moves while it is paused")
	}
	b.click("#requests-pause")
	b.shows("#requests-body tr", "/later")
}

// One URL is purged by keys alone: softly, which has it validated, and then
// hard, which takes it away.
func TestBrowserPurgeByKeys(t *testing.T) {
	s := stage(t, "")
	s.ask("/one", originApp)
	s.ask("/two", "")
	b := open(t, s.page, "light", 1280)
	b.shows("#objects-body tr", "/one")
	b.reach("[...document.querySelectorAll('#objects-body button')].indexOf(document.activeElement) === 0")
	if name := eval[string](b, "document.activeElement.getAttribute('aria-label')"); !strings.Contains(name, "Purge") || !strings.HasSuffix(name, "/one") {
		t.Errorf("the button is called %q", name)
	}
	if outline := eval[string](b, "getComputedStyle(document.activeElement).outlineStyle"); outline == "none" {
		t.Error("the focus is not seen")
	}
	b.press(kb.Enter)
	b.shows("#said", "Purged 1 stored response")
	b.shows("#objects-body tr", "purged")
	before := s.served.Load()
	s.ask("/one", originApp)
	if n := s.served.Load() - before; n != 1 {
		t.Errorf("the application got %d requests for what was purged", n)
	}
	b.press(kb.Tab + " ")
	b.shows("#said", "Removed 1 stored response")
	b.wait("!document.getElementById('objects-body').innerText.includes('/one')")
	b.shows("#objects-body tr", "/two")
	b.wait("document.activeElement.id === 'objects-title'")
}

// reach presses Tab until an expression holds.
func (b *tab) reach(expression string) {
	b.t.Helper()
	for range 200 {
		b.press(kb.Tab)
		if eval[bool](b, expression) {
			return
		}
	}
	b.t.Fatalf("Tab never leads to where %s", expression)
}

// Much is purged after a question only.
func TestBrowserPurgeMany(t *testing.T) {
	s := stage(t, "")
	s.ask("/news/1", "")
	s.ask("/news/2", "")
	s.ask("/other", "")
	b := open(t, s.page, "light", 1280)
	b.shows("#objects-body tr", "/other")

	b.write("#objects-prefix", s.proxy+"/news/")
	b.press(kb.Enter)
	b.wait("document.querySelectorAll('#objects-body tbody tr').length === 2")
	b.expect("400 (Bad Request)") // Chromium notes every one
	b.write("#objects-prefix", "news")
	b.press(kb.Enter)
	b.shows("#objects-note", "no scheme and host")
	b.write("#objects-prefix", s.proxy)
	b.press(kb.Enter)
	b.wait("document.querySelectorAll('#objects-body tbody tr').length === 3")

	b.write("#purge-value", s.proxy+"/news/")
	b.click("#purge-hard")
	b.click("#purge button")
	b.shows("#ask-text", "everything that begins with "+s.proxy+"/news/")
	b.press(kb.Enter) // Cancel has the focus
	b.wait("!document.getElementById('ask').open")
	b.click("#purge button")
	b.click("#ask-yes")
	b.shows("#said", "Removed 2 stored responses")
	b.wait("document.querySelectorAll('#objects-body tbody tr').length === 1")
}

// Two origins get the answers that their policy has for each, and the page says
// where they differ and who may read.
func TestBrowserTwoOrigins(t *testing.T) {
	s := stage(t, "")
	b := open(t, s.page, "light", 1280)
	b.shows("#state", "serving")
	b.write("#cors-url", s.proxy+"/cors")
	b.write("#cors-a", originApp)
	b.write("#cors-b", originStranger)
	b.press(kb.Enter)
	b.shows("#cors-answer tr", "✓ yes")
	b.shows("#cors-answer tr", "✕ no")
	b.shows("#cors-answer th", originApp)
	b.shows("#cors-answer tr.differs td:first-child", "Access-Control-Allow-Origin")
	b.shows("#cors-answer tr.differs", "≠ differs")
	b.shows("#cors-answer tr:not(.differs) td:first-child", "Status")

	b.write("#cors-headers", "X-A")
	eval[bool](b, "(document.getElementById('cors-method').value = 'PUT') && document.getElementById('cors-method').dispatchEvent(new Event('change'))")
	b.wait("document.getElementById('cors-preflight').checked")
	b.click("#cors-form button")
	b.shows("#cors-answer tr", "Access-Control-Allow-Methods")
	b.shows("#cors-answer tr", "✕ no")
}

// With a token the page asks for it, refuses a wrong one, keeps the right one
// in this tab and forgets it when it is told to.
func TestBrowserToken(t *testing.T) {
	s := stage(t, "sesame")
	b := open(t, s.page, "light", 1280, "401 (Unauthorized)") // Chromium notes every one
	b.wait("document.getElementById('token').open")
	b.press("wrong" + kb.Enter)
	b.shows("#token-why", "refused")
	b.press(kb.Escape)
	b.wait("document.getElementById('token').open")
	b.write("#token-value", "sesame")
	b.press(kb.Enter)
	b.shows("#state", "serving")
	b.wait("!document.getElementById('token').open")
	if n := eval[int](b, "localStorage.length + document.cookie.length"); n != 0 {
		t.Error("something of it stays behind")
	}
	if got := eval[string](b, "sessionStorage.getItem('veneer-admin-token')"); got != "sesame" {
		t.Errorf("the tab keeps %q", got)
	}
	b.click("#forget")
	b.wait("document.getElementById('token').open && sessionStorage.length === 0")
}

// Dark and light follow the system until the operator chooses, and texts are
// readable in both.
func TestBrowserSchemes(t *testing.T) {
	s := stage(t, "")
	s.ask("/private/x", originApp)
	s.ask("/a", originApp)
	for _, scheme := range []string{"light", "dark"} {
		b := open(t, s.page, scheme, 1280)
		b.shows("#requests-body tr", "/private/x")
		dark := eval[float64](b, lightness+"lightness(getComputedStyle(document.body).backgroundColor)") < 0.2
		if dark != (scheme == "dark") {
			t.Errorf("%s: the background is dark: %t", scheme, dark)
		}
		if poor := eval[[]string](b, lightness+contrasts); len(poor) > 0 {
			t.Errorf("%s: too little contrast: %q", scheme, poor)
		}
	}
	b := open(t, s.page, "light", 1280)
	b.shows("#state", "serving")
	eval[bool](b, "(document.getElementById('scheme').value = 'dark') && document.getElementById('scheme').dispatchEvent(new Event('change'))")
	if eval[float64](b, lightness+"lightness(getComputedStyle(document.body).backgroundColor)") > 0.2 {
		t.Error("the choice of dark changes nothing")
	}
}

// lightness is WCAG's relative luminance of a computed colour.
const lightness = `var lightness = c => { const [r, g, b] = c.match(/[\d.]+/g).map(v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
`

// contrasts are the texts whose contrast is below WCAG's 4.5 (AA).
const contrasts = `[...document.querySelectorAll("body *")].filter(n => n.checkVisibility() && !n.disabled && [...n.childNodes].some(c => c.nodeType === 3 && c.data.trim())).map(n => {
  let back = n, color;
  while (back && /rgba\(.*, 0\)/.test(color = getComputedStyle(back).backgroundColor)) back = back.parentElement;
  const style = getComputedStyle(n), front = n.namespaceURI.endsWith("svg") ? style.fill : style.color;
  const [x, y] = [lightness(front), lightness(color)].sort((a, b) => b - a);
  const ratio = (x + 0.05) / (y + 0.05);
  return ratio < 4.5 && !n.classList.contains("hidden") ? n.tagName + "." + n.className + " " + n.textContent.slice(0, 30) + " " + ratio.toFixed(2) : "";
}).filter(Boolean)`

// On a narrow screen nothing is cut off or scrolled sideways.
func TestBrowserNarrow(t *testing.T) {
	s := stage(t, "")
	s.ask("/private/"+strings.Repeat("long", 60), originApp)
	s.ask("/"+strings.Repeat("long", 60), originApp)
	b := open(t, s.page, "light", 400)
	b.shows("#requests-body tr", "/private/long")
	b.shows("#objects-body tr", "/long")
	if wide := eval[int](b, "document.documentElement.scrollWidth"); wide > 400 {
		t.Errorf("the page is %d pixels wide: %s", wide, eval[string](b, "[...document.querySelectorAll('body *')].filter(n => n.getBoundingClientRect().right > 400).map(n => n.tagName + '#' + n.id + '.' + n.className).join(' ')"))
	}
}

// A file that is not taken shows its problems, and a banner says that the old
// configuration runs on.
func TestBrowserReload(t *testing.T) {
	s := stage(t, "")
	b := open(t, s.page, "light", 1280)
	b.shows("#generation", "configuration 1")
	b.click("#reload")
	b.shows("#said", "configuration 2 is in force")
	good, err := os.ReadFile(s.file)
	if err != nil {
		t.Fatal(err)
	}
	s.configure(strings.Replace(string(good), "upstream: up", "upstream: donw", 1))
	b.expect("422 (Unprocessable Entity)")
	b.click("#reload")
	b.shows("#more", "donw")
	b.press(kb.Escape)
	b.shows("#refused", "The last reload failed")
	s.configure(string(good))
	b.click("#reload")
	b.wait("document.getElementById('refused').hidden")
}

// While the server is away the page says so, and it recovers by itself.
func TestBrowserUnreachable(t *testing.T) {
	s := stage(t, "")
	b := open(t, s.page, "light", 1280)
	b.shows("#state", "serving")
	b.expect("net::ERR_")
	s.stop()
	b.shows("#unreachable", "cannot be reached")
	s.start(strings.Trim(s.page, "htp:/"))
	b.wait("document.getElementById('unreachable').hidden")
	b.shows("#said", "answers again")
}

// Nobody looks at a hidden tab, so it asks for nothing, and it goes on when it is
// seen again.
func TestBrowserHidden(t *testing.T) {
	s := stage(t, "")
	b := open(t, s.page, "light", 1280)
	b.shows("#state", "serving")
	const turn = "Object.defineProperty(document, 'hidden', {configurable: true, value: %t}) && document.dispatchEvent(new Event('visibilitychange'))"
	if n := b.pass(10 * time.Second); n < 6 {
		t.Errorf("a tab that is seen has sent %d requests: the test proves nothing", n)
	}
	eval[bool](b, fmt.Sprintf(turn, true))
	b.pass(4 * time.Second) // what was under way ends
	if n := b.pass(60 * time.Second); n != 0 {
		t.Errorf("a hidden tab has sent %d requests", n)
	}
	eval[bool](b, fmt.Sprintf(turn, false))
	if n := b.pass(4 * time.Second); n < 3 {
		t.Errorf("a tab that is seen again has sent %d requests", n)
	}
}

// Everything that can be used has a name, and every field a label.
func TestBrowserNames(t *testing.T) {
	s := stage(t, "")
	s.ask("/a", originApp)
	b := open(t, s.page, "light", 1280)
	b.shows("#requests-body tr", "/a")
	b.shows("#objects-body tr", "/a")
	nameless := eval[[]string](b, `[...document.querySelectorAll("a, button, input, select, svg[role=img], table, section, dialog, [role=region]")].filter(n => {
		const labelled = n.getAttribute("aria-labelledby");
		const name = n.getAttribute("aria-label") || labelled && document.getElementById(labelled) || n.labels && n.labels.length && n.labels[0].textContent.trim() || n.caption && n.caption.textContent || n.textContent.trim();
		return !name || ["INPUT", "SELECT"].includes(n.tagName) && !n.labels.length;
	}).map(n => n.outerHTML.slice(0, 80))`)
	if len(nameless) > 0 {
		t.Errorf("without a name: %q", nameless)
	}
	if levels := eval[string](b, `[...document.querySelectorAll("main h2, main h3, h1")].map(h => h.tagName[1]).join("")`); !regexp.MustCompile(`^12(3*2?)*`).MatchString(levels) {
		t.Errorf("the headings are of the levels %s", levels)
	}
	b.press(kb.Tab)
	if id := eval[string](b, "document.activeElement.className"); id != "skip" {
		t.Errorf("the first that is reached is %q, not the skip link", id)
	}
}
