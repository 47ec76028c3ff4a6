package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"veneer/cache/key"
	"veneer/cmd/internal/app"
	"veneer/cmd/internal/config"
	"veneer/corslayer"
)

// The origins of the demonstration: one that its policy names, one that a
// pattern lets in, and one that it does not let in.
const (
	demoApp      = "https://app.example.com"
	demoPartner  = "https://shop.partner.example.com"
	demoStranger = "https://evil.example.net"
)

// demoDrain bounds a graceful stop of the demonstration.
const demoDrain = 5 * time.Second

type demoFlags struct {
	listen, admin string
	once          bool
}

func newDemo(s *streams) *cobra.Command {
	var f demoFlags
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show what Veneer does, with an application of its own; needs no file",
		Long: "demo runs an application with a few telling pages and Veneer in front of it, and\n" +
			"prints the curl lines to try. With --once it sends those requests itself, prints\n" +
			"what came, and fails when something is not as promised.",
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if f.once {
				return demoOnce(c.Context(), s)
			}
			return demo(c.Context(), s, f)
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.listen, "listen", "127.0.0.1:8080", "the `ADDRESS` of the proxy")
	flags.StringVar(&f.admin, "admin", "127.0.0.1:9090", "the `ADDRESS` of the admin listener")
	flags.BoolVar(&f.once, "once", false, "send the requests, print what came, and end")
	return c
}

// demoConfig is the configuration of the demonstration.
func demoConfig(upstream *url.URL, listen, admin string) (*config.Config, error) {
	c := config.Default()
	c.Server.HTTP = []string{listen}
	c.Admin.Address = admin
	c.Store.MemorySize = 64 << 20
	c.CORS = []config.CORSPolicy{{Name: "partners", Config: corslayer.Config{
		Origins:     []string{demoApp, "https://*.partner.example.com"},
		Methods:     []string{"GET", "POST", "PUT", "DELETE"},
		Headers:     []string{"Content-Type", "Authorization"},
		Expose:      []string{"Cache-Status", "ETag"},
		Credentials: true,
	}}}
	u := config.NewUpstream("demo")
	u.Servers = []*url.URL{upstream}
	c.Upstreams = []config.Upstream{u}
	policy := config.RouteCORS{Mode: corslayer.ModeOwn, Policy: "partners"}
	bucket := config.NewRoute("", "/", u.Name)
	bucket.CORS = policy
	shared := config.NewRoute("", "/shared/", u.Name)
	shared.CORS = policy
	shared.Cache.Key.Origin, shared.Cache.OriginSet = key.OriginShared, true
	c.Routes = []config.Route{bucket, shared}
	if errs := c.Check().Errors(); len(errs) > 0 {
		p := errs[0] // what is built here is good: it can only be a flag
		p.Field = "--listen"
		if strings.HasPrefix(errs[0].Field, "admin") {
			p.Field = "--admin"
		}
		return nil, usagef("%s", p)
	}
	return c, nil
}

// startDemo starts the application and builds the proxy in front of it. The
// caller closes the application after the proxy has ended.
func startDemo(ctx context.Context, listen, admin string, pace demoPace, log *slog.Logger) (*app.App, *demoUpstream, error) {
	up, err := startDemoUpstream(ctx, pace)
	if err != nil {
		return nil, nil, err
	}
	cfg, err := demoConfig(up.url, listen, admin)
	if err != nil {
		up.close()
		return nil, nil, err
	}
	a, err := app.Build(cfg, app.Options{Log: log, Version: readBuild().Version})
	if err != nil {
		up.close()
		return nil, nil, err
	}
	return a, up, nil
}

func demo(ctx context.Context, s *streams, f demoFlags) error {
	signals := notify()
	defer signals.stop()
	log := slog.New(slog.NewTextHandler(s.err, nil))
	slog.SetDefault(log) // net/http says some things through package log
	a, up, err := startDemo(ctx, f.listen, f.admin, pacePeople, log)
	if exitCode(err) == exitReach {
		return fmt.Errorf("%w (choose others with --listen and --admin)", err)
	}
	if err != nil {
		return err
	}
	defer up.close()
	announce(log, a)
	printDemo(s.out, "http://"+a.Addrs()[0].String(), "http://"+a.AdminAddr().String(), up.url.String())
	return supervise(ctx, a, signals, stopRules{log: log, drain: demoDrain})
}

// printDemo prints the lines to try, and what to look at.
func printDemo(w io.Writer, proxy, admin, upstream string) {
	fmt.Fprintf(w, `Veneer    %s
Admin     %s (the page; metrics at %s/metrics)
Upstream  %s (the application; ask it directly to compare)

The policy lets %s and https://*.partner.example.com in.
Look at Cache-Status, Age, Vary and the Access-Control- fields.

`, proxy, admin, admin, upstream, demoApp)
	for _, l := range []struct{ path, options, look string }{
		{"/hello", "-H 'Origin: " + demoApp + "'", "first a miss, then hits; ttl counts down from 30"},
		{"/hello", "-H 'Origin: " + demoPartner + "'", "an entry and an Access-Control-Allow-Origin of its own"},
		{"/hello", "-H 'Origin: " + demoStranger + "'", "answered, but no page of this origin may read it"},
		{"/shared/hello", "-H 'Origin: " + demoApp + "'", "key.origin: shared, a miss, and then ..."},
		{"/shared/hello", "-H 'Origin: " + demoPartner + "'", "... a hit on the same entry, with this origin's fields"},
		{"/hello", "-X OPTIONS -H 'Origin: " + demoApp + "' -H 'Access-Control-Request-Method: PUT'", "a preflight: 204 from the policy, the application never sees it"},
		{"/double", "-H 'Origin: " + demoApp + "'", "the application's doubled CORS fields are gone; ask it directly to see them"},
		{"/vary", "-H 'Accept-Language: de'", "one entry a language"},
		{"/private", "", "never stored; detail says why"},
		{"/cookie", "", "never stored: it sets a cookie"},
		{"/swr", "", "after 2 s: answered stale at once, fresh the next time"},
		{"/broken", "", "every second answer is a 503; after 2 s the stored one stands in"},
		{"/drip", "-N", "content in pieces, passed on as it comes, stored at the end"},
	} {
		fmt.Fprintf(w, "# %s\ncurl -si %s%s%s\n", l.look, proxy, l.path, optional(l.options))
	}
	fmt.Fprintf(w, "# ten at once, one fetch: the others say collapsed\n"+
		"for i in 1 2 3 4 5 6 7 8 9 10; do curl -si %s/slow | grep -i cache-status & done; wait\n\nCtrl-C ends it.\n", proxy)
}

func optional(s string) string {
	if s == "" {
		return ""
	}
	return " " + s
}
