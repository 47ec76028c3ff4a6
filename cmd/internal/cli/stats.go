package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"time"

	"github.com/spf13/cobra"

	"veneer/cmd/internal/admin"
	"veneer/cmd/internal/app"
	"veneer/cmd/internal/config"
)

// statsFlags is the command line of stats.
type statsFlags struct {
	instance
	json, watch bool
	interval    time.Duration
}

func newStats(s *streams) *cobra.Command {
	var f statsFlags
	c := &cobra.Command{
		Use:   "stats [--watch] [--json]",
		Short: "Show how a running instance answers",
		Long: "stats asks a running instance how it answers: the hit ratio, what the store holds,\n" +
			"how each route goes, which servers are up, and the configuration that runs. The\n" +
			"hit ratio is of all requests but preflights and errors of the proxy's own; hits and\n" +
			"stale answers count. The admin page shows the same as it goes.\n\n" +
			"With --watch it asks again until it is interrupted. With --json it prints the\n" +
			"answers of GET /api/stats and /api/routes as one document, with --watch one a line.\n\n" +
			"Exit code: 0 good; 1 the instance failed; 2 usage; 3 the admin listener cannot be\n" +
			"reached.",
		Example: "  veneer stats\n  veneer stats --watch --interval 5s\n  veneer stats -c veneer.yaml --json",
		Args:    args(cobra.NoArgs),
		RunE:    func(c *cobra.Command, _ []string) error { return f.run(c.Context(), s) },
	}
	flags := c.Flags()
	flags.StringVarP(&f.file, "config", "c", "", "the configuration `FILE` of the instance")
	flags.StringVar(&f.admin, "admin", "", "the `URL` of the admin listener (default that of -c, or http://"+admin.DefaultAddress+")")
	flags.StringVar(&f.tokenFile, "token-file", "", "the `FILE` with the admin token (default that of -c)")
	flags.BoolVar(&f.json, "json", false, "print for programs")
	flags.BoolVar(&f.watch, "watch", false, "ask again until interrupted")
	flags.DurationVar(&f.interval, "interval", 2*time.Second, "how long --watch waits between two questions")
	return c
}

// minInterval keeps a watcher from being a load.
const minInterval = 100 * time.Millisecond

// instanceStats is what --json prints.
type instanceStats struct {
	Stats  app.Stats        `json:"stats"`
	Routes []app.RouteStats `json:"routes"`
}

func (f *statsFlags) run(ctx context.Context, s *streams) error {
	if f.interval < minInterval {
		return usagef("--interval: got %v: is below %v", f.interval, minInterval)
	}
	var cfg *config.Config
	if f.file != "" {
		var err error
		if cfg, err = (&serveFlags{file: f.file, drain: defaultDrain}).load(s); err != nil {
			return err
		}
	}
	if !f.watch {
		return f.show(ctx, cfg, s)
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	tick := time.NewTicker(f.interval)
	defer tick.Stop()
	for {
		if err := f.show(ctx, cfg, s); err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// clearScreen puts the next text where the last one was.
const clearScreen = "\x1b[H\x1b[2J"

// show asks once and prints.
func (f *statsFlags) show(ctx context.Context, cfg *config.Config, s *streams) (err error) {
	all, err := f.fetched(ctx, cfg)
	if err != nil {
		return err
	}
	switch {
	case f.json && f.watch:
		err = json.NewEncoder(s.out).Encode(all)
	case f.json:
		err = encode(s.out, all)
	default:
		text := statsText(all)
		if f.watch && isTerminal(s.out) {
			text = clearScreen + text
		}
		_, err = fmt.Fprint(s.out, text)
	}
	if err != nil {
		return fmt.Errorf("cannot print: %w", err)
	}
	return nil
}

func (f *statsFlags) fetched(ctx context.Context, cfg *config.Config) (*instanceStats, error) {
	all := new(instanceStats)
	stats := question{verb: "ask for stats", method: http.MethodGet, path: "stats"}
	if f.json {
		stats.query = url.Values{"history": {"none"}}
	}
	if err := f.ask(ctx, cfg, stats, &all.Stats); err != nil {
		return nil, err
	}
	var routes app.Routes
	err := f.ask(ctx, cfg, question{verb: "ask for routes", method: http.MethodGet, path: "routes"}, &routes)
	all.Routes = routes.Routes
	return all, err
}
