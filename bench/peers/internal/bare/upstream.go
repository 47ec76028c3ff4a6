package bare

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// CountPath is where the upstream says how many other requests it has had.
const CountPath = "/-/count"

// upstream is an application that does CORS itself, and answers from memory by a
// loop like the floor's. It has a ready answer for each allowed origin and one
// for all others.
func upstream(ctx context.Context, o options) error {
	plain, _, err := o.listen()
	if err != nil {
		return err
	}
	if o.sink != "" {
		stop, err := sink(o.sink)
		if err != nil {
			return err
		}
		defer stop()
	}
	return accept(ctx, newApp(o).answer, some(plain)...)
}

// app is the application behind the caches.
type app struct {
	origins [][]byte
	ready   [][]byte // for the origins, then for all others
	count   atomic.Int64
}

func newApp(o options) *app {
	control := "no-store"
	if o.store {
		control = "public, max-age=3600"
	}
	own := [][2]string{
		{"Cache-Control", control},
		{"Content-Type", "application/octet-stream"},
		{"Date", time.Now().UTC().Format(http.TimeFormat)},
		{"Etag", `"bench"`},
		{"Vary", "Origin"},
	}
	a := &app{}
	content := Content(o.size)
	for _, origin := range o.origins {
		a.origins = append(a.origins, []byte(origin))
		a.ready = append(a.ready, append(head(own, origin, o.size), content...))
	}
	a.ready = append(a.ready, append(head(own, "", o.size), content...))
	return a
}

var (
	countLine  = []byte("GET " + CountPath + " ")
	originName = []byte("origin:")
)

func (a *app) answer(head []byte) []byte {
	if bytes.HasPrefix(head, countLine) {
		text := fmt.Sprint(a.count.Load())
		return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
	}
	a.count.Add(1)
	origin := field(head, originName)
	for i, o := range a.origins {
		if bytes.Equal(origin, o) {
			return a.ready[i]
		}
	}
	return a.ready[len(a.origins)]
}

// field returns the value of the first field of that name, which is in lower
// case and has its colon. The case of the request's is free (RFC 9110 §5.1).
func field(head, name []byte) []byte {
	for {
		_, rest, more := bytes.Cut(head, []byte("\r\n"))
		if !more {
			return nil
		}
		if len(rest) >= len(name) && bytes.EqualFold(rest[:len(name)], name) {
			line, _, _ := bytes.Cut(rest, []byte("\r\n"))
			return bytes.TrimSpace(line[len(name):])
		}
		head = rest
	}
}

// sink takes spans from whoever exports them, and forgets them.
func sink(address string) (stop func(), err error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusOK)
	})}
	go func() { _ = server.Serve(l) }()
	return func() { _ = server.Close() }, nil
}
