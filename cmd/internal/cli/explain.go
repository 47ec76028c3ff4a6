package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"veneer/cmd/internal/admin"
	"veneer/cmd/internal/app"
	"veneer/cmd/internal/config"
	"veneer/cmd/internal/explain"
)

// explainFlags is the command line of explain.
type explainFlags struct {
	instance
	method   string
	fields   []string
	status   int
	response []string
	live     bool
	json     bool
	reasons  bool
	reason   string
}

func newExplain(s *streams) *cobra.Command {
	var f explainFlags
	c := &cobra.Command{
		Use:   "explain -c FILE URL | explain --live [-c FILE] URL | explain --reasons",
		Short: "Say what would happen to a request, and why",
		Long: "explain says what Veneer would do with a request and why: its route, key and CORS\n" +
			"decision, what is stored for it, whether the response would be stored, for how long\n" +
			"it would be fresh, and what the same request would get next, with the section of the\n" +
			"standard for each.\n\n" +
			"Without --live it needs a configuration only: the store is taken to be empty, and the\n" +
			"upstream to answer as --status and -R say. With --live a running instance answers\n" +
			"from what it has stored; nothing that is asked is counted there, stored, or sent to\n" +
			"the upstream. Its admin listener is at --admin, or where the configuration says.\n\n" +
			"Values of Authorization, Cookie and fields with such names are shown as (hidden).\n\n" +
			"Exit code: 0 the request would be answered; 1 with an error of Veneer's own (no\n" +
			"route, a bad request, a refused origin or preflight, ...) or the configuration has a\n" +
			"problem; 2 usage; 3 the admin listener cannot be reached.",
		Example: "  veneer explain -c veneer.yaml https://api.example.com/users -H 'Origin: https://app.example.com' -R 'Cache-Control: max-age=60'\n" +
			"  veneer explain --live https://api.example.com/users\n" +
			"  veneer explain --reason vary-mismatch",
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, given []string) error { return f.run(c.Context(), s, given) },
	}
	flags := c.Flags()
	flags.StringVarP(&f.file, "config", "c", "", "the configuration `FILE`")
	flags.StringVarP(&f.method, "method", "X", "", "the request's `METHOD` (default GET)")
	flags.StringArrayVarP(&f.fields, "header", "H", nil, "a request field, `'Name: value'`; may be given again")
	flags.IntVar(&f.status, "status", 0, "the `STATUS` that the upstream is taken to answer (default 304 to a validation, else 200)")
	flags.StringArrayVarP(&f.response, "response-header", "R", nil, "a field of the upstream's response, `'Name: value'`; may be given again")
	flags.BoolVar(&f.live, "live", false, "ask a running instance")
	flags.StringVar(&f.admin, "admin", "", "with --live: the `URL` of the admin listener (default that of -c, or http://"+admin.DefaultAddress+")")
	flags.StringVar(&f.tokenFile, "token-file", "", "with --live: the `FILE` with the admin token (default that of -c)")
	flags.BoolVar(&f.json, "json", false, "print for programs")
	flags.BoolVar(&f.reasons, "reasons", false, "print every reason that there is")
	flags.BoolVar(&f.reasons, "list", false, "the same as --reasons")
	flags.StringVar(&f.reason, "reason", "", "print what one reason means, for one `no-store`")
	return c
}

func (f *explainFlags) run(ctx context.Context, s *streams, given []string) error {
	if f.reasons || f.reason != "" {
		return f.printReasons(s, given)
	}
	if err := f.check(given); err != nil {
		return err
	}
	r, err := explain.New(f.method, given[0], f.fields, f.status, f.response)
	if err != nil {
		return usageError{err}
	}
	var cfg *config.Config
	if f.file != "" {
		// The same words and the same exit code as serve has for a bad file.
		if cfg, err = (&serveFlags{file: f.file, drain: defaultDrain}).load(s); err != nil {
			return err
		}
	}
	var a *explain.Answer
	if f.live {
		a, err = f.asked(ctx, cfg, r)
	} else {
		a, err = app.Explain(cfg, r)
	}
	if err != nil {
		return err
	}
	return f.print(s, a)
}

// check finds what cannot be meant.
func (f *explainFlags) check(given []string) error {
	switch {
	case len(given) == 0:
		return usagef("explain needs a URL")
	case !f.live && f.file == "":
		return usagef("explain needs -c FILE, or --live to ask a running instance")
	case !f.live && (f.admin != "" || f.tokenFile != ""):
		return usagef("explain takes --admin and --token-file with --live only")
	}
	return nil
}

func (f *explainFlags) printReasons(s *streams, given []string) error {
	if len(given) > 0 || f.reasons && f.reason != "" {
		return usagef("explain takes --reasons, or --reason TOKEN, and nothing beside it")
	}
	if f.json && f.reasons {
		return encode(s.out, explain.ReasonsJSON())
	}
	if err := explain.Reasons(s.out, f.reason); err != nil {
		return usageError{err}
	}
	return nil
}

func (f *explainFlags) print(s *streams, a *explain.Answer) error {
	var err error
	if f.json {
		err = encode(s.out, a)
	} else {
		colour := green
		if a.Error {
			colour = red
		}
		err = a.Text(s.out, func(text string) string { return paint(s.out, colour, text) })
	}
	if err != nil {
		return fmt.Errorf("cannot print: %w", err)
	}
	if a.Error {
		return errReported
	}
	return nil
}

func encode(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// asked asks a running instance.
func (f *explainFlags) asked(ctx context.Context, cfg *config.Config, r *explain.Request) (*explain.Answer, error) {
	a := new(explain.Answer)
	return a, f.ask(ctx, cfg, question{verb: "explain", method: http.MethodGet, path: "explain", query: r.Query()}, a)
}
