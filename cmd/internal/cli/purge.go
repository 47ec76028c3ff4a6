package cli

import (
	"context"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"veneer/cmd/internal/admin"
	"veneer/cmd/internal/config"
)

// purgeFlags is the command line of purge.
type purgeFlags struct {
	instance
	url, prefix, tag string
	all, hard, json  bool
}

func newPurge(s *streams) *cobra.Command {
	var f purgeFlags
	c := &cobra.Command{
		Use:   "purge (--url URL | --prefix PREFIX | --tag TAG | --all) [--hard]",
		Short: "Have stored responses validated before they are used again, or removed",
		Long: "purge tells a running instance that stored responses may have changed: from then on\n" +
			"each is validated before it is used again, and a 304 makes it fresh. While the\n" +
			"upstream fails they may stand in for as long as stale-if-error, or the route's\n" +
			"cache.grace, says. With --hard they are removed. What is being fetched at that\n" +
			"moment is not stored if the purge concerns it.\n\n" +
			"--url takes all origins and variants of a URL, as its route keys it. --prefix is text\n" +
			"of a URL with scheme and the whole host: https://a.example/news also begins\n" +
			"/newsletter, so end a directory in a slash. --tag is a name that the upstream has\n" +
			"given in Surrogate-Key or Cache-Tag.\n\n" +
			"Exit code: 0 it is done, also when nothing was concerned; 1 the instance failed;\n" +
			"2 usage; 3 the admin listener cannot be reached.",
		Example: "  veneer purge --url https://www.example.com/news/1\n" +
			"  veneer purge --prefix https://www.example.com/news/ --hard\n" +
			"  veneer purge -c veneer.yaml --tag article-1",
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c, s) },
	}
	flags := c.Flags()
	flags.StringVar(&f.url, "url", "", "purge this `URL`")
	flags.StringVar(&f.prefix, "prefix", "", "purge all URLs that begin with this `PREFIX`")
	flags.StringVar(&f.tag, "tag", "", "purge all responses with this `TAG`")
	flags.BoolVar(&f.all, "all", false, "purge everything")
	flags.BoolVar(&f.hard, "hard", false, "remove instead of having them validated")
	flags.StringVarP(&f.file, "config", "c", "", "the configuration `FILE` of the instance")
	flags.StringVar(&f.admin, "admin", "", "the `URL` of the admin listener (default that of -c, or http://"+admin.DefaultAddress+")")
	flags.StringVar(&f.tokenFile, "token-file", "", "the `FILE` with the admin token (default that of -c)")
	flags.BoolVar(&f.json, "json", false, "print for programs")
	return c
}

// purgeAnswer is what the admin API says.
type purgeAnswer struct {
	Kind    string `json:"kind"`
	Hard    bool   `json:"hard"`
	Touched int    `json:"touched"`
}

func (f *purgeFlags) run(c *cobra.Command, s *streams) error {
	order := map[string]any{}
	for name, value := range map[string]any{"url": f.url, "prefix": f.prefix, "tag": f.tag, "all": f.all} {
		if c.Flags().Changed(name) {
			order[name] = value
		}
	}
	if len(order) != 1 || order["all"] == false {
		return usagef("purge takes exactly one of --url, --prefix, --tag and --all")
	}
	if f.hard {
		order["hard"] = true
	}
	var cfg *config.Config
	if f.file != "" {
		var err error
		if cfg, err = (&serveFlags{file: f.file, drain: defaultDrain}).load(s); err != nil {
			return err
		}
	}
	a, err := f.sent(c.Context(), cfg, order)
	if err != nil {
		return err
	}
	if f.json {
		err = encode(s.out, a)
	} else {
		_, err = fmt.Fprintln(s.out, a)
	}
	if err != nil {
		return fmt.Errorf("cannot print: %w", err)
	}
	return nil
}

func (f *purgeFlags) sent(ctx context.Context, cfg *config.Config, order any) (a purgeAnswer, err error) {
	err = f.ask(ctx, cfg, question{verb: "purge", method: http.MethodPost, path: "purge", body: order, usage: true}, &a)
	return a, err
}

// String is what people read.
func (a purgeAnswer) String() string {
	responses, are, they := "responses", "are", "they are"
	if a.Touched == 1 {
		responses, are, they = "response", "is", "it is"
	}
	if a.Hard {
		return fmt.Sprintf("%d stored %s %s removed", a.Touched, responses, are)
	}
	return fmt.Sprintf("%d stored %s %s stale now: %s validated before the next use", a.Touched, responses, are, they)
}
