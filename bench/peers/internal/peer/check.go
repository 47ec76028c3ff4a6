package peer

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"veneer/bench/peers/internal/bare"
)

// Encoding is the Accept-Encoding of every request.
const Encoding = "gzip"

// Path is what every request asks for.
const Path = "/page"

// stranger is an origin that nobody allows.
const stranger = "https://stranger.example.net"

// Checker looks at a server's answers before it is measured.
type Checker struct {
	Work     Work
	Upstream string // host:port, where the requests that reach it are counted
	Roots    *x509.CertPool
}

// address is where the work is asked of a server.
func (w Work) address(p Place) string {
	if w.Protocol == HTTP1 {
		return p.HTTP
	}
	return p.HTTPS
}

// URL is what is asked for.
func (w Work) URL(p Place) string {
	if w.Protocol == HTTP1 {
		return "http://" + w.address(p) + Path
	}
	return "https://" + w.address(p) + Path
}

// Check makes real requests and says what is wrong with an answer: status,
// content, CORS for each allowed origin and for a stranger, Vary, and whether
// the upstream was asked as often as it has to be.
func (c Checker) Check(ctx context.Context, p *Process) error {
	transport := c.transport()
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	origins := append(slices.Clone(Origins), stranger)
	if p.Server.Blind {
		origins = Origins[:1]
	}
	// Twice: as it is filled, and with every origin's answer in the cache.
	for range 2 {
		for _, origin := range origins {
			if err := c.one(ctx, client, p, origin); err != nil {
				return fmt.Errorf("with Origin %s: %w", origin, err)
			}
		}
	}
	if p.Server.Memory {
		return nil
	}
	if c.Work.Miss {
		return c.passes(ctx, client, p)
	}
	return c.hits(ctx, client, p)
}

// hits waits until a request is answered without the upstream. Some servers
// store a moment after they have answered.
func (c Checker) hits(ctx context.Context, client *http.Client, p *Process) error {
	enough := time.After(3 * time.Second)
	retry := time.NewTicker(50 * time.Millisecond)
	defer retry.Stop()
	for {
		asked, err := c.asked(ctx, client, p)
		if err == nil && asked == 0 {
			return nil
		} else if err != nil {
			return err
		}
		select {
		case <-retry.C:
		case <-enough:
			return errors.New("the upstream is asked each time: no answer is a hit")
		case <-ctx.Done():
			return fmt.Errorf("cannot wait for a hit: %w", ctx.Err())
		}
	}
}

func (c Checker) passes(ctx context.Context, client *http.Client, p *Process) error {
	asked, err := c.asked(ctx, client, p)
	if err == nil && asked != 1 {
		err = fmt.Errorf("the upstream was asked %d times for one request that may not be stored", asked)
	}
	return err
}

// asked makes one request and counts those that reached the upstream.
func (c Checker) asked(ctx context.Context, client *http.Client, p *Process) (int64, error) {
	before, err := Count(ctx, c.Upstream)
	if err != nil {
		return 0, err
	}
	if err := c.one(ctx, client, p, Origins[0]); err != nil {
		return 0, err
	}
	after, err := Count(ctx, c.Upstream)
	return after - before, err
}

// transport speaks exactly the protocol that is measured.
func (c Checker) transport() *http.Transport {
	t := &http.Transport{
		DisableCompression: true, Protocols: new(http.Protocols),
		TLSClientConfig: &tls.Config{RootCAs: c.Roots, MinVersion: tls.VersionTLS13},
	}
	t.Protocols.SetHTTP1(c.Work.Protocol != HTTP2)
	t.Protocols.SetHTTP2(c.Work.Protocol == HTTP2)
	return t
}

// one makes a request and looks at its answer.
func (c Checker) one(ctx context.Context, client *http.Client, p *Process, origin string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Work.URL(p.Place), http.NoBody)
	if err != nil {
		return fmt.Errorf("cannot make a request: %w", err)
	}
	req.Header.Set("Origin", origin)
	req.Header.Set("Accept-Encoding", Encoding)
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("cannot get an answer: %w", err)
	}
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("cannot read an answer: %w", err)
	}
	return c.judge(res, content, origin)
}

func (c Checker) judge(res *http.Response, content []byte, origin string) error {
	major := 1
	if c.Work.Protocol == HTTP2 {
		major = 2
	}
	allowed := ""
	if slices.Contains(Origins, origin) {
		allowed = origin
	}
	vary := strings.ToLower(strings.Join(res.Header.Values("Vary"), ","))
	got := strings.Join(res.Header.Values("Access-Control-Allow-Origin"), ", ")
	switch {
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("status is %d and not 200", res.StatusCode)
	case res.ProtoMajor != major:
		return fmt.Errorf("protocol is %s", res.Proto)
	case res.Header.Get("Content-Encoding") != "":
		return fmt.Errorf("content is coded: %s", res.Header.Get("Content-Encoding"))
	case len(content) != c.Work.Size:
		return fmt.Errorf("content has %d bytes and not %d", len(content), c.Work.Size)
	case !bytes.Equal(content, bare.Content(c.Work.Size)):
		return errors.New("content is another one")
	case got != allowed:
		return fmt.Errorf("field Access-Control-Allow-Origin is %q and not %q", got, allowed)
	case !slices.ContainsFunc(strings.Split(vary, ","), func(s string) bool { return strings.TrimSpace(s) == "origin" }):
		return fmt.Errorf("field Vary is %q, without Origin", vary)
	}
	return nil
}

// Count asks the upstream how many requests it has had.
func Count(ctx context.Context, upstream string) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+upstream+bare.CountPath, http.NoBody)
	if err != nil {
		return 0, fmt.Errorf("cannot count requests: %w", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, fmt.Errorf("cannot count requests: %w", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, fmt.Errorf("cannot count requests: %w", err)
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("cannot count requests: %w", err)
	}
	return n, nil
}
