package cli

import (
	"bytes"
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

	"veneer/cmd/internal/admin"
	"veneer/cmd/internal/config"
)

// instance is where a running one's admin listener is, as the command line says.
type instance struct {
	file      string // its configuration
	admin     string
	tokenFile string
}

// question is a request to the admin API.
type question struct {
	verb   string // whose, for errors
	method string
	path   string // below /api/
	query  url.Values
	body   any  // sent as JSON; nil: none
	usage  bool // a 400 is the command line's fault
}

// The bounds of a question to an instance.
const (
	askTimeout = 30 * time.Second
	maxAnswer  = 8 << 20
	maxToken   = 64 << 10
)

// ask asks a running instance and reads its answer into answer. cfg is the
// configuration of i.file, or nil.
func (i *instance) ask(ctx context.Context, cfg *config.Config, q question, answer any) error {
	base, token, err := i.target(cfg)
	if err != nil {
		return err
	}
	var body io.Reader = http.NoBody
	if q.body != nil {
		text, err := json.Marshal(q.body)
		if err != nil {
			return fmt.Errorf("cannot %s: %w", q.verb, err)
		}
		body = bytes.NewReader(text)
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	u := base.JoinPath("api", q.path)
	u.RawQuery = q.query.Encode()
	req, err := http.NewRequestWithContext(ctx, q.method, u.String(), body)
	if err != nil {
		return usagef("--admin: %w", err)
	}
	if q.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	// No proxy of the environment, no redirect: the token goes nowhere else.
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := transport.RoundTrip(req)
	if err != nil {
		return unreachable(base, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return unreachable(base, err)
	}
	if res.StatusCode != http.StatusOK {
		return refused(&q, base, res.StatusCode, text)
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("cannot read the answer of %s: %w; is it Veneer's admin listener, and of this release?", base.Host, err)
	}
	return nil
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
func refused(q *question, base *url.URL, status int, body []byte) error {
	var problem struct {
		Detail string `json:"detail"`
	}
	_ = json.Unmarshal(body, &problem) // another server may say something else
	if problem.Detail == "" {
		problem.Detail = http.StatusText(status)
	}
	detail := strings.TrimPrefix(problem.Detail, "cannot "+q.verb+": ")
	err := fmt.Errorf("cannot %s: %s answers %d: %s", q.verb, base.Host, status, detail)
	switch {
	case status == http.StatusBadRequest && q.usage:
		return usageError{err}
	case status == http.StatusUnauthorized:
		return usagef("%w; give it with --token-file, or -c with the instance's configuration", err)
	}
	return err
}

// target finds the admin listener and its token.
func (i *instance) target(cfg *config.Config) (*url.URL, string, error) {
	address, token := i.admin, ""
	if cfg != nil {
		token = cfg.Admin.Token.Reveal()
		if address == "" {
			if address = reachable(cfg.Admin.Address); address == "" {
				return nil, "", usagef("%s has no admin listener with a fixed port; give --admin", i.file)
			}
		}
	}
	base, err := adminURL(address)
	if err != nil {
		return nil, "", err
	}
	if i.tokenFile != "" {
		if token, err = readToken(i.tokenFile); err != nil {
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
