package doctor

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// run is the record of one examination: what the checks see. It is used by one
// goroutine.
type run struct {
	s         *subject
	transport http.RoundTripper
	nonce     string        // of this run's queries
	unique    bool          // they are used
	hurried   bool          // a body did not end in time: read no more of them
	paused    time.Duration // for the sake of Retry-After
	exchanges []*Exchange
	// doubt is the first troubled exchange that the check at work has looked at.
	doubt *Exchange
	// locations are the Location fields with their queries, which the record
	// does not keep.
	locations map[*Exchange]string
}

// maxBody bounds what is read of a body, in bytes. Some caches store only what
// a client has read to its end.
const maxBody = 1 << 20

// bodyPatience bounds how long a body is read.
const bodyPatience = 3 * time.Second

// UnreachableError says that the server could not be asked at all.
type UnreachableError struct {
	URL string
	Err error
}

// Error names the URL and the reason.
func (e *UnreachableError) Error() string { return fmt.Sprintf("cannot reach %s: %v", e.URL, e.Err) }

// Unwrap returns the reason.
func (e *UnreachableError) Unwrap() error { return e.Err }

// Examine sends the plan's requests one after the other and says what their
// answers mean. An error is a mistake in o (it joins *ArgumentError), an
// *UnreachableError when the first request got no answer, or the end of ctx.
func Examine(ctx context.Context, o Options) (*Report, error) {
	s, err := o.compile()
	if err != nil {
		return nil, err
	}
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return examine(ctx, s, o, hex.EncodeToString(b[:]))
}

func examine(ctx context.Context, s *subject, o Options, nonce string) (*Report, error) {
	r := &run{s: s, transport: o.Transport, nonce: nonce, unique: !o.NoCacheBuster, locations: make(map[*Exchange]string)}
	if r.transport == nil {
		own := &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DisableCompression:     true,
			ForceAttemptHTTP2:      true,
			MaxResponseHeaderBytes: 256 << 10,
			TLSClientConfig:        &tls.Config{InsecureSkipVerify: o.Insecure, MinVersion: tls.VersionTLS12},
		}
		defer own.CloseIdleConnections()
		r.transport = own
	}
	for _, next := range plan(s) {
		p, ok := next(r)
		if !ok {
			continue
		}
		err := r.send(ctx, p)
		switch {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("cannot finish: %w", ctx.Err())
		case err != nil && len(r.exchanges) == 1:
			return nil, &UnreachableError{s.url.String(), err}
		}
	}
	return r.report(), nil
}

// send records one exchange. It returns the error that stands in the record.
func (r *run) send(ctx context.Context, p probe) error {
	u := p.url
	if u == nil {
		u = r.withKey(p.key)
	}
	x := &Exchange{Name: p.name, About: p.about, Method: p.method, URL: u.String(), Sent: []Field{}, Received: []Field{}}
	if p.private {
		x.URL = withoutQuery(x.URL)
	}
	if x.Method == "" {
		x.Method = http.MethodGet
	}
	if p.origin != "" {
		x.Sent = append(x.Sent, Field{fieldOrigin, p.origin})
	}
	x.Sent = append(x.Sent, p.fields...)
	r.exchanges = append(r.exchanges, x)
	err := r.exchange(ctx, x, u)
	for err == nil && r.pause(ctx, x) {
		x.Retries++
		x.Status, x.Received = 0, []Field{}
		err = r.exchange(ctx, x, u)
	}
	if err != nil {
		x.Error = clean(err.Error())
	}
	return err
}

func (r *run) exchange(ctx context.Context, x *Exchange, u *url.URL) error {
	ctx, cancel := context.WithTimeout(ctx, r.s.timeout)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, x.Method, u.String(), http.NoBody)
	if err != nil {
		return err
	}
	q.Header.Set("User-Agent", "veneer-doctor")
	q.Header.Set("Accept", "*/*")
	for _, f := range x.Sent {
		q.Header.Set(f.Name, f.Value)
	}
	// Not sent: it tells net/http that the request may go again when the server
	// has closed an idle connection (net/http, Transport).
	q.Header["Idempotency-Key"] = []string{}
	// A handler that streams goes on after the answer to HEAD, and would hold up
	// what comes next on the connection.
	q.Close = x.Method == http.MethodHead
	res, err := r.transport.RoundTrip(q) // a Client would follow redirects
	if err != nil {
		return err
	}
	x.Status = res.StatusCode
	x.receive(res.Header)
	r.locations[x] = res.Header.Get(fieldLocation)
	if !r.hurried && !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		r.read(res.Body, cancel)
	}
	res.Body.Close()
	return nil
}

// read takes the body off the connection, within bounds, and forgets it. What
// goes wrong is not this program's subject.
func (r *run) read(body io.Reader, cancel func()) {
	late := time.AfterFunc(min(r.s.timeout, bodyPatience), cancel)
	defer late.Stop()
	if _, err := io.CopyN(io.Discard, body, maxBody); err != nil && !errors.Is(err, io.EOF) {
		r.hurried = true
	}
}

// get returns the exchange of a probe, or nil. It is how a check looks at one.
func (r *run) get(name string) *Exchange {
	x := r.find(name)
	if r.doubt == nil && r.troubled(x) {
		r.doubt = x
	}
	return x
}

// all returns what the server itself has answered, for a check that looks for
// one answer with a mistake in it.
func (r *run) all() []*Exchange {
	r.get(probeFirstA) // without it the others prove little
	return slices.DeleteFunc(slices.Clone(r.exchanges), func(x *Exchange) bool { return x.Name == probeAway })
}

func (r *run) find(name string) *Exchange {
	for _, x := range r.exchanges {
		if x.Name == name {
			return x
		}
	}
	return nil
}

// target is where a redirect leads, or nil.
func (r *run) target(x *Exchange) *url.URL {
	if !x.redirects() {
		return nil
	}
	from, err := url.Parse(x.URL)
	if err != nil {
		return nil
	}
	to, err := from.Parse(r.locations[x])
	if err != nil || r.locations[x] == "" {
		return nil
	}
	to.Fragment = ""
	return to
}
