package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"veneer/cmd/internal/app"
	"veneer/cmd/internal/config"
)

// defaultDrain bounds a graceful stop.
const defaultDrain = 30 * time.Second

// serveFlags is the command line of serve.
type serveFlags struct {
	file     string
	upstream string
	listen   string
	admin    string
	origins  []string
	watch    time.Duration
	delay    time.Duration
	drain    time.Duration
}

func newServe(s *streams) *cobra.Command {
	var f serveFlags
	c := &cobra.Command{
		Use:   "serve (-c FILE | --upstream URL)",
		Short: "Run the proxy",
		Long: "serve runs the proxy, from a file or in front of one upstream.\n\n" +
			"SIGHUP, POST /api/reload of the admin listener, and a change of the file or of one\n" +
			"that it names read it again; what runs is kept when there is a problem.\n" +
			"SIGUSR1 opens the file of the access log again, behind a rename by logrotate.\n" +
			"SIGTERM and SIGINT answer the requests under way and end; a second one ends at once.\n" +
			"With --drain-delay /readyz says so first, and the listeners stay open until load\n" +
			"balancers have taken notice.",
		Example: "  veneer serve -c veneer.yaml\n" +
			"  veneer serve --upstream http://127.0.0.1:3000 --allow-origin https://app.example.com",
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return serve(c.Context(), s, f) },
	}
	flags := c.Flags()
	flags.StringVarP(&f.file, "config", "c", "", "the configuration `FILE`")
	flags.StringVar(&f.upstream, "upstream", "", "the `URL` of one upstream server, in place of a file")
	flags.StringVar(&f.listen, "listen", "", "with --upstream: the `ADDRESS` to listen on (default 127.0.0.1:8080)")
	flags.StringArrayVar(&f.origins, "allow-origin", nil, "with --upstream: an `ORIGIN` that may read responses; may be given again")
	flags.StringVar(&f.admin, "admin", "", "with --upstream: the `ADDRESS` of the admin listener (default none)")
	flags.DurationVar(&f.watch, "watch", defaultWatch, "with -c: how often to look whether the files have changed; 0 is never")
	flags.DurationVar(&f.delay, "drain-delay", 0, "how long to go on answering after /readyz has turned, before a graceful stop begins")
	flags.DurationVar(&f.drain, "drain-timeout", defaultDrain, "how long a graceful stop may take")
	return c
}

// load returns the configuration that the flags ask for; problems have been
// printed when it fails.
func (f *serveFlags) load(s *streams) (*config.Config, error) {
	var cfg *config.Config
	var problems config.Problems
	switch {
	case f.file == "" && f.upstream == "":
		return nil, usagef("serve needs -c FILE or --upstream URL")
	case f.file != "" && (f.upstream != "" || f.listen != "" || f.admin != "" || len(f.origins) > 0):
		return nil, usagef("serve takes -c FILE, or --upstream with --listen, --allow-origin and --admin, and not both")
	case f.delay < 0 || f.watch < 0:
		return nil, usagef("--drain-delay and --watch must not be less than zero")
	case f.drain <= 0:
		return nil, usagef("--drain-timeout must be more than zero")
	case f.file != "":
		cfg, problems = config.Load(f.file)
	default:
		cfg, problems = config.Quick(f.upstream, f.listen, f.origins)
		if cfg != nil && f.admin != "" {
			cfg.Admin.Address = f.admin
			problems = append(problems, cfg.Check()...)
		}
	}
	report(s, problems)
	if len(problems.Errors()) > 0 {
		return nil, errReported
	}
	return cfg, nil
}

// report prints problems.
func report(s *streams, problems config.Problems) {
	for _, p := range problems {
		colour := red
		if p.Warning {
			colour = yellow
		}
		fmt.Fprintln(s.err, paint(s.err, colour, p.String()))
	}
}

func serve(ctx context.Context, s *streams, f serveFlags) error {
	signals := notify()
	defer signals.stop()
	w := &watcher{file: f.file}
	var err error
	cfg, _ := w.load(func() (*config.Config, config.Problems) {
		var cfg *config.Config
		cfg, err = f.load(s)
		return cfg, nil
	})
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(s.err, nil))
	slog.SetDefault(log) // net/http says some things through package log
	opt := app.Options{Log: log, Version: readBuild().Version}
	rules := stopRules{log: log, delay: f.delay, drain: f.drain, reload: func() error {
		return errors.New("cannot reload: serve was started without a file")
	}}
	if f.file != "" {
		opt.Load = func() (*config.Config, config.Problems) {
			next, problems := w.load(func() (*config.Config, config.Problems) { return config.Load(f.file) })
			report(s, problems)
			return next, problems
		}
	}
	a, err := app.Build(cfg, opt)
	if err != nil {
		return err
	}
	rules.log = a.Log()
	announce(rules.log, a)
	if f.file != "" {
		rules.reload = a.ReloadFile
	}
	if f.file != "" && f.watch > 0 {
		changed, stop := w.watch(ctx, f.watch)
		defer stop()
		rules.changed = changed
	}
	return supervise(ctx, a, signals, rules)
}

// announce logs the bound addresses, those of the proxy last: whoever waits for
// them has seen all.
func announce(log *slog.Logger, a *app.App) {
	if addr := a.AdminAddr(); addr != nil {
		log.Info("admin listening", "address", addr.String())
	}
	for _, addr := range a.Addrs() {
		log.Info("listening", "address", addr.String())
	}
}
