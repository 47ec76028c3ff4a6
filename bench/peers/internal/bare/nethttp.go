package bare

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// handler is what one would write with net/http to send a stored answer: the
// same fields as Veneer, set one by one, and the content.
func handler(ctx context.Context, o options) error {
	allowed := set(o.origins)
	content, length := Content(o.size), strconv.Itoa(o.size)
	return o.serveHTTP(ctx, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		for _, f := range fields {
			h.Set(f[0], f[1])
		}
		if origin := r.Header.Get("Origin"); allowed[origin] {
			h.Set("Access-Control-Allow-Origin", origin)
		}
		h.Set("Content-Length", length)
		_, _ = w.Write(content)
	}))
}

// reverse is httputil.ReverseProxy with enough idle connections, which does with
// CORS what the others do: the upstream's fields go, its own come.
func reverse(ctx context.Context, o options) error {
	allowed := set(o.origins)
	target := &url.URL{Scheme: "http", Host: o.upstream}
	return o.serveHTTP(ctx, &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.SetXForwarded()
		},
		ModifyResponse: func(res *http.Response) error {
			res.Header.Del("Access-Control-Allow-Origin")
			if origin := res.Request.Header.Get("Origin"); allowed[origin] {
				res.Header.Set("Access-Control-Allow-Origin", origin)
			}
			res.Header.Set("Vary", "Origin")
			return nil
		},
		Transport: &http.Transport{
			MaxIdleConnsPerHost: 1024,
			IdleConnTimeout:     time.Minute,
			DisableCompression:  true,
			ReadBufferSize:      32 << 10,
		},
		BufferPool: &buffers{},
	})
}

// buffers keep ReverseProxy from allocating 32 KiB for each answer.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, 32<<10)
}

func (b *buffers) Put(p []byte) { b.pool.Put(&p) }

func set(names []string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}

// serveHTTP serves h with net/http, over TLS with HTTP/2 as well.
func (o options) serveHTTP(ctx context.Context, h http.Handler) error {
	plain, secure, err := o.listen("h2", "http/1.1")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	listeners := some(plain, secure)
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	errs := make(chan error, len(listeners))
	for _, l := range listeners {
		go func(l net.Listener) { errs <- server.Serve(l) }(l)
	}
	for range listeners {
		if err := <-errs; !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("cannot serve: %w", err)
		}
	}
	return nil
}
