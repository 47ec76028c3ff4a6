package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"veneer/cmd/internal/admin"
	"veneer/cmd/internal/config"
)

// healthFlags is the command line of health.
type healthFlags struct {
	file    string
	admin   string
	ready   bool
	timeout time.Duration
}

func newHealth(s *streams) *cobra.Command {
	var f healthFlags
	c := &cobra.Command{
		Use:   "health [-c FILE | --admin URL]",
		Short: "Ask a running instance whether it is well",
		Long: "health asks the admin listener of a running instance for /healthz, or with --ready\n" +
			"for /readyz, which also says no while the instance begins or drains. It is what a\n" +
			"container's health check runs: the image needs no other program for that.\n\n" +
			"Of the configuration it reads where the admin listener is, and nothing else: a file\n" +
			"that was changed for the worse does not make the instance ill that runs with the old.\n\n" +
			"Exit code: 0 it is well; 1 it says that it is not; 2 usage; 3 it cannot be reached.",
		Example: "  veneer health -c /etc/veneer/veneer.yaml\n  veneer health --ready --admin 127.0.0.1:9090",
		Args:    args(cobra.NoArgs),
		RunE:    func(c *cobra.Command, _ []string) error { return f.run(c.Context(), s) },
	}
	flags := c.Flags()
	flags.StringVarP(&f.file, "config", "c", "", "the configuration `FILE` of the instance")
	flags.StringVar(&f.admin, "admin", "", "the `URL` of the admin listener (default that of -c, or http://"+admin.DefaultAddress+")")
	flags.BoolVar(&f.ready, "ready", false, "ask for /readyz")
	flags.DurationVar(&f.timeout, "timeout", 3*time.Second, "how long the answer may take")
	return c
}

// maxHealth bounds what is read of the answer, in bytes.
const maxHealth = 64 << 10

func (f *healthFlags) run(ctx context.Context, s *streams) error {
	if f.timeout <= 0 {
		return usagef("--timeout must be more than zero")
	}
	address := f.admin
	if f.file != "" && address == "" {
		listen, err := config.AdminAddress(f.file)
		if err != nil {
			return usageError{err}
		}
		if address = reachable(listen); address == "" {
			return usagef("%s has no admin listener with a fixed port; give --admin", f.file)
		}
	}
	base, err := adminURL(address)
	if err != nil {
		return err
	}
	path := "/healthz"
	if f.ready {
		path = "/readyz"
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base.JoinPath(path).String(), nil)
	if err != nil {
		return usagef("--admin: %w", err)
	}
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req) // no proxy of the environment, no redirect
	if err != nil {
		return unreachable(base, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxHealth))
	if err != nil {
		return unreachable(base, err)
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the instance at %s is not well: %s answers %d: %.200q", base.Host, path, res.StatusCode, body)
	}
	_, err = s.out.Write(body)
	return err
}
