// Command shot takes pictures of the admin page in front of a proxy of its own
// with traffic like that of a small API, in headless Chromium:
//
//	go run ./cmd/internal/admin/ui/shot -for 3m -o cmd/internal/admin/ui/shot/page.png
//
// The charts show as long as the proxy runs, so a telling picture takes minutes.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"veneer/cmd/internal/app"
	"veneer/cmd/internal/chromium"
	"veneer/cmd/internal/config"
	"veneer/corslayer"
)

// The origins that ask: two that the policy lets in, and a stranger.
const (
	originApp      = "https://app.example.com"
	originShop     = "https://shop.partner.example.com"
	originStranger = "https://evil.example.net"
)

type flags struct {
	light, dark, narrow string
	whole               bool
	lasts               time.Duration
}

func main() {
	var f flags
	flag.StringVar(&f.light, "o", "page.png", "`FILE` of the light picture, a PNG")
	flag.StringVar(&f.dark, "dark", "", "`FILE` of the dark picture; empty takes none")
	flag.StringVar(&f.narrow, "narrow", "", "`FILE` of the picture on a small screen; empty takes none")
	flag.BoolVar(&f.whole, "whole", false, "take the whole page, not its beginning only")
	flag.DurationVar(&f.lasts, "for", 20*time.Second, "how long there is traffic first")
	flag.Parse()
	if err := run(context.Background(), f); err != nil {
		fmt.Fprintln(os.Stderr, "shot:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, f flags) error {
	up := httptest.NewServer(http.HandlerFunc(application))
	defer up.Close()
	cfg, err := configuration(up.URL)
	if err != nil {
		return err
	}
	a, err := app.Build(cfg, app.Options{Version: "v1.0"})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	all.Go(func() { _ = a.Run(ctx) })
	defer all.Wait()
	defer cancel()
	all.Go(func() { visit(ctx, a.Addrs()[0].String()) })
	select {
	case <-time.After(f.lasts):
	case <-ctx.Done():
		return ctx.Err()
	}
	return take(ctx, "http://"+a.AdminAddr().String()+"/", f)
}

// configuration is that of two routes, of which one has a policy.
func configuration(upstream string) (*config.Config, error) {
	u, err := url.Parse(upstream)
	if err != nil {
		return nil, err
	}
	c := config.Default()
	c.Server.HTTP = []string{"127.0.0.1:0"}
	c.Admin.Address = "127.0.0.1:0"
	c.Store.MemorySize = 4 << 20
	c.CORS = []config.CORSPolicy{{Name: "partners", Config: corslayer.Config{
		Origins: []string{originApp, "https://*.partner.example.com"},
		Methods: []string{"GET", "POST", "PUT", "DELETE"}, Headers: []string{"Content-Type", "Authorization"},
		Credentials: true,
	}}}
	users, frontend := config.NewUpstream("users"), config.NewUpstream("frontend")
	users.Servers, frontend.Servers = []*url.URL{u}, []*url.URL{u}
	c.Upstreams = []config.Upstream{users, frontend}
	api := config.NewRoute("api.example.com", "/", "users")
	api.CORS = config.RouteCORS{Mode: corslayer.ModeOwn, Policy: "partners"}
	c.Routes = []config.Route{api, config.NewRoute("", "/", "frontend")}
	if errs := c.Check().Errors(); len(errs) > 0 {
		return nil, fmt.Errorf("BUG: the configuration of the picture is bad: %s", errs[0])
	}
	return c, nil
}

// application is the upstream: some of it lasts, some is nobody else's.
func application(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	switch {
	case strings.HasPrefix(r.URL.Path, "/users/me"):
		h.Set("Cache-Control", "private, no-store")
	case strings.HasPrefix(r.URL.Path, "/cart"):
		h.Set("Set-Cookie", "cart=1; HttpOnly")
		h.Set("Cache-Control", "max-age=60")
	case strings.HasPrefix(r.URL.Path, "/news"):
		h.Set("Cache-Control", "max-age=2, stale-while-revalidate=30")
		h.Set("Surrogate-Key", "news")
	case r.Header.Get("If-None-Match") != "":
		w.WriteHeader(http.StatusNotModified)
		return
	default:
		h.Set("ETag", `"1"`)
		h.Set("Cache-Control", "max-age=5")
	}
	_, _ = fmt.Fprintf(w, `{"path":%q,"text":%q}`, r.URL.Path, strings.Repeat("veneer ", 400))
}

// visit asks the proxy now and then, more and less by turns, until ctx ends.
func visit(ctx context.Context, address string) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	began := time.Now()
	for i := 0; ctx.Err() == nil; i++ {
		ask(ctx, client, address, i)
		pause := 30 * time.Millisecond
		if int(time.Since(began)/(40*time.Second))%2 == 1 {
			pause = 12 * time.Millisecond
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// ask sends the i-th request; what became of it the page shows.
func ask(ctx context.Context, client *http.Client, address string, i int) {
	targets := []struct{ method, host, path, origin string }{
		{http.MethodGet, "api.example.com", fmt.Sprintf("/users/%d", i%23), originApp},
		{http.MethodGet, "api.example.com", fmt.Sprintf("/users/%d", i%7), originShop},
		{http.MethodGet, "www.example.com", fmt.Sprintf("/assets/%d.js", i%11), ""},
		{http.MethodGet, "www.example.com", "/news/today", ""},
		{http.MethodGet, "api.example.com", "/users/me", originApp},
		{http.MethodOptions, "api.example.com", "/users/1", originApp},
		{http.MethodGet, "api.example.com", "/users/3", originStranger},
		{http.MethodGet, "www.example.com", "/cart", ""},
		{http.MethodGet, "www.example.com", "/news/today", ""},
		{http.MethodPost, "api.example.com", "/users/4", originApp},
		{http.MethodGet, "www.example.com", fmt.Sprintf("/assets/%d.js", i%5), ""},
	}
	t := targets[i%len(targets)]
	r, err := http.NewRequestWithContext(ctx, t.method, "http://"+address+t.path, nil)
	if err != nil {
		return
	}
	r.Host = t.host
	if t.origin != "" {
		r.Header.Set("Origin", t.origin)
	}
	if t.method == http.MethodOptions {
		r.Header.Set("Access-Control-Request-Method", "PUT")
	}
	if res, err := client.Do(r); err == nil {
		_ = res.Body.Close()
	}
}

// take opens the page and takes the pictures.
func take(ctx context.Context, page string, f flags) error {
	home, err := os.MkdirTemp("", "veneer-shot-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(home) }() // the system clears what stays
	tab, quit, err := chromium.Launch(ctx, home)
	if err != nil {
		return err
	}
	defer func() { _ = quit() }() // the pictures are taken
	for _, p := range []struct {
		file, scheme  string
		width, height int64
	}{{f.light, "light", 1280, 1150}, {f.dark, "dark", 1280, 1150}, {f.narrow, "light", 400, 1400}} { // pixels
		if p.file == "" {
			continue
		}
		if err := picture(tab, page, p.file, p.scheme, p.width, p.height, f.whole); err != nil {
			return fmt.Errorf("cannot take %s: %w", p.file, err)
		}
	}
	return nil
}

func picture(ctx context.Context, page, file, scheme string, width, height int64, whole bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	prefer := func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return chromedp.Void{}, err
	}
	if err := chromedp.Do(ctx,
		chromedp.EmulateViewport(width, height), prefer,
		chromedp.Navigate(page),
		chromedp.WaitVisible(chromedp.CSS(`#cards .card`)),
	); err != nil {
		return err
	}
	shoot := chromedp.CaptureScreenshot()
	if whole {
		shoot = chromedp.FullScreenshot(100)
	}
	png, err := chromedp.Run(ctx, shoot)
	if err != nil {
		return err
	}
	return os.WriteFile(file, png, 0o600)
}
