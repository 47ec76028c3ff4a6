package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"veneer/cmd/internal/admin"
	"veneer/cmd/internal/app"
	"veneer/cmd/internal/config"
	"veneer/cmd/internal/explain"
)

// explainFlags is the command line of explain.
type explainFlags struct {
	file      string
	method    string
	fields    []string
	status    int
	response  []string
	live      bool
	admin     string
	tokenFile string
	json      bool
	reasons   bool
	reason    string
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
		a, err = f.ask(ctx, cfg, r)
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

// The bounds of a question to an instance.
const (
	askTimeout = 30 * time.Second
	maxAnswer  = 8 << 20
	maxToken   = 64 << 10
)

// ask asks a running instance.
func (f *explainFlags) ask(ctx context.Context, cfg *config.Config, r *explain.Request) (*explain.Answer, error) {
	base, token, err := f.target(cfg)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	u := base.JoinPath("api", "explain")
	u.RawQuery = r.Query().Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, usagef("--admin: %w", err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	// No proxy of the environment, no redirect: the token goes nowhere else.
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := transport.RoundTrip(req)
	if err != nil {
		return nil, unreachable(base, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, unreachable(base, err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, refused(base, res.StatusCode, body)
	}
	a := new(explain.Answer)
	if err := json.Unmarshal(body, a); err != nil {
		return nil, fmt.Errorf("cannot read the answer of %s: %w; is it Veneer's admin listener, and of this release?", base.Host, err)
	}
	return a, nil
}

// unreachable is an error for which the exit code is that of the network,
// whatever the cause is.
func unreachable(base *url.URL, err error) error {
	var network *net.OpError
	if !errors.As(err, &network) {
		err = &net.OpError{Op: "ask", Net: "tcp", Err: err}
	}
	return fmt.Errorf("cannot reach the admin listener at %s: %w; is the instance running, and is --admin right?", base.Host, err)
}

// refused is the error behind a problem document of the admin listener.
func refused(base *url.URL, status int, body []byte) error {
	var problem struct {
		Detail string `json:"detail"`
	}
	_ = json.Unmarshal(body, &problem) // another server may say something else
	if problem.Detail == "" {
		problem.Detail = http.StatusText(status)
	}
	err := fmt.Errorf("cannot explain: %s answers %d: %s", base.Host, status, problem.Detail)
	if status == http.StatusUnauthorized {
		return usagef("%w; give it with --token-file, or -c with the instance's configuration", err)
	}
	return err
}

// target finds the admin listener and its token.
func (f *explainFlags) target(cfg *config.Config) (*url.URL, string, error) {
	address, token := f.admin, ""
	if cfg != nil {
		token = cfg.Admin.Token.Reveal()
		if address == "" {
			if address = reachable(cfg.Admin.Address); address == "" {
				return nil, "", usagef("%s has no admin listener with a fixed port; give --admin", f.file)
			}
		}
	}
	base, err := adminURL(address)
	if err != nil {
		return nil, "", err
	}
	if f.tokenFile != "" {
		if token, err = readToken(f.tokenFile); err != nil {
			return nil, "", usagef("--token-file: %w", err)
		}
	}
	return base, token, nil
}

// adminURL is the URL of an admin listener that was given as such or as
// host:port; "" is the default one.
func adminURL(address string) (*url.URL, error) {
	text := address
	if text == "" {
		text = admin.DefaultAddress
	}
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	base, err := url.Parse(text)
	if err != nil || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, usagef("--admin: got %q: it is no URL such as http://%s", address, admin.DefaultAddress)
	}
	return base, nil
}

// reachable returns the address under which this machine reaches a listener, or
// "".
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil || port == "0" {
		return ""
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip != nil && ip.To4() == nil {
			host = "::1"
		}
	}
	return net.JoinHostPort(host, port)
}

func readToken(file string) (string, error) {
	b, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer func() { _ = b.Close() }() // opened for reading: nothing is lost
	text, err := io.ReadAll(io.LimitReader(b, maxToken))
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(text))
	if token == "" || strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "", fmt.Errorf("%s holds no token: one line of letters and digits", file)
	}
	return token, nil
}
