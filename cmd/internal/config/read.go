package config

import (
	"errors"
	"io/fs"
	"math"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"veneer/cache/key"
	"veneer/cache/rfc9111"
)

// root reads the whole document into a new Config. What is wrong is reported
// and keeps its default, so that reading goes on.
func (r *reader) root(v value) *Config {
	c := Default()
	c.File = r.file
	s := v.section()
	s.sub("server", func(s *section) { r.server(s, &c.Server) })
	if v, ok := s.get("admin"); ok && !v.is("off") && !v.is("false") {
		c.Admin.Address = defaultAdmin
		sub := v.section()
		sub.text("address", &c.Admin.Address)
		if v, ok := sub.get("token_file"); ok {
			c.Admin.Token, _ = v.secret()
		}
		sub.done()
	}
	s.sub("cors", func(s *section) { c.CORS = r.policies(s) })
	s.sub("upstreams", func(s *section) { c.Upstreams = r.upstreams(s) })
	if v, ok := s.get("routes"); ok {
		for _, e := range v.list() {
			c.Routes = append(c.Routes, r.route(e))
		}
	}
	s.sub("store", func(s *section) {
		s.sub("memory", func(s *section) { s.size("size", &c.Store.MemorySize, minMemory, maxBytes) })
		s.later("disk", "shared")
	})
	s.sub("telemetry", func(s *section) {
		s.text("service_name", &c.Telemetry.ServiceName)
		s.sub("metrics", func(s *section) {
			s.boolean("prometheus", &c.Telemetry.Prometheus)
			r.push(s, &c.Telemetry)
		})
		r.traces(s, &c.Telemetry)
		s.sub("logs", func(s *section) { r.logs(s, &c.Telemetry) })
		r.accessLog(s, &c.Telemetry)
	})
	s.done()
	return c
}

func (r *reader) server(s *section, dst *Server) {
	plain := s.texts("http", &dst.HTTP)
	s.sub("https", func(s *section) {
		dst.HTTPS = &HTTPS{}
		s.text("address", &dst.HTTPS.Address)
		cert := s.file("cert_file", &dst.HTTPS.CertFile)
		key := s.file("key_file", &dst.HTTPS.KeyFile)
		r.keyPair(s.path, cert, key)
		s.later("http3", "acme")
	})
	if !plain && dst.HTTPS != nil {
		dst.HTTP = nil
	}
	s.boolean("lane", &dst.Lane)
	s.later("proxy_protocol")
	if v, ok := s.get("trusted_proxies"); ok {
		dst.TrustedProxies = r.prefixes(v)
	}
	s.sub("limits", func(s *section) {
		l := &dst.Limits
		header := int64(l.HeaderBytes)
		s.size("header_bytes", &header, 1<<10, 1<<20)
		l.HeaderBytes = int(header)
		s.size("body_bytes", &l.BodyBytes, 0, maxBytes)
		s.duration("header_timeout", &l.HeaderTimeout, time.Millisecond, maxTimeout)
		s.duration("idle_timeout", &l.IdleTimeout, time.Millisecond, maxTimeout)
		s.duration("write_stall", &l.WriteStall, time.Second, maxTimeout)
		s.count("connections", &l.Connections, 1, math.MaxInt32)
	})
}

// prefixes reads networks; a bare address is a network of one.
func (r *reader) prefixes(v value) []netip.Prefix {
	var out []netip.Prefix
	for _, e := range v.list() {
		t, ok := e.text()
		if !ok {
			continue
		}
		if a, err := netip.ParseAddr(t); err == nil && a.Zone() == "" {
			out = append(out, netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(t)
		switch {
		case err != nil:
			e.problem("is neither a network nor an address", "a network such as 10.0.0.0/8 or 2001:db8::/32")
		case p != p.Masked():
			e.problem("has bits set outside the network", p.Masked().String()+", or the address alone for one host")
		case p.Bits() == 0:
			r.warn(e.path, "", "trusts everybody, who can then forge the client's address and scheme", "the networks of your own proxies")
			fallthrough
		default:
			out = append(out, p)
		}
	}
	return out
}

// upstreams reads the named groups of servers.
func (r *reader) upstreams(s *section) []Upstream {
	var out []Upstream
	s.each(func(name string, at *yaml.Node, v value) {
		if !s.named(name, at) {
			return
		}
		u := NewUpstream(name)
		s := v.section()
		if v, ok := s.get("servers"); ok {
			for _, e := range v.list() {
				r.serverURL(e, &u)
			}
		}
		choice(s, "balance", &u.Balance, option[Balance]{"round_robin", RoundRobin},
			option[Balance]{"least_conn", LeastConn}, option[Balance]{"random", Random})
		s.count("max_fails", &u.MaxFails, 1, 1000)
		s.duration("fail_timeout", &u.FailTimeout, time.Millisecond, maxTimeout)
		s.duration("connect_timeout", &u.ConnectTimeout, time.Millisecond, maxTimeout)
		s.duration("response_timeout", &u.ResponseTimeout, time.Millisecond, maxTimeout)
		s.text("host", &u.Host)
		r.external(s, &u)
		s.later("dir", "fallback", "health")
		s.done()
		out = append(out, u)
	})
	return out
}

func (r *reader) serverURL(e value, u *Upstream) {
	u.Servers = append(u.Servers, nil) // what is wrong keeps its place
	t, ok := e.text()
	if !ok {
		return
	}
	parsed, why, fix := parseServer(t)
	if why == "" {
		u.Servers[len(u.Servers)-1] = parsed
		return
	}
	// A URL may hold credentials, in several places.
	if strings.ContainsAny(t, "@?#") {
		e.hide()
	}
	e.problem(why, fix)
}

// named checks a name that the user gives to a policy or an upstream. It ends
// up in labels and logs.
func (s *section) named(name string, key *yaml.Node) bool {
	ok := name != "" && len(name) <= 64
	for i := range len(name) {
		c := name[i]
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-')
	}
	if !ok {
		s.at(key, name, "is not a name", "1 to 64 letters, digits, - and _")
	}
	return ok
}

func (r *reader) route(v value) Route {
	out := NewRoute("", "/", "")
	s := v.section()
	s.sub("match", func(s *section) {
		s.text("host", &out.Host)
		s.text("path", &out.Path)
	})
	s.text("upstream", &out.Upstream)
	var cors string
	s.text("cors", &cors)
	out.CORS = routeCORS(cors)
	if v, ok := s.get("cache"); ok {
		if v.is("off") {
			out.Cache.Enabled = false
		} else {
			sub := v.section()
			r.cache(sub, &out.Cache)
			sub.done()
		}
	}
	out.Rate = r.rateLimit(s)
	s.sub("headers", func(s *section) {
		s.sub("request", func(s *section) { r.changes(s, &out.Headers.Request, true) })
		s.sub("response", func(s *section) { r.changes(s, &out.Headers.Response, false) })
	})
	s.done()
	return out
}

func (r *reader) cache(s *section, dst *Cache) {
	s.sub("key", func(s *section) {
		dst.OriginSet = choice(s, "origin", &dst.Key.Origin, option[key.OriginMode]{"bucket", key.OriginBucket},
			option[key.OriginMode]{"shared", key.OriginShared}, option[key.OriginMode]{"exact", key.OriginExact})
		s.sub("query", func(s *section) {
			s.boolean("sort", &dst.Key.Query.Sort)
			s.texts("ignore", &dst.Key.Query.Ignore)
			dst.Key.Query.AllowSet = s.texts("allow", &dst.Key.Query.Allow)
		})
		s.texts("headers", &dst.Key.Headers)
		s.texts("cookies", &dst.Key.Cookies)
	})
	s.duration("default_ttl", &dst.DefaultTTL, 0, 10*year)
	s.duration("grace", &dst.Grace, 0, 10*year)
	s.duration("stale_while_revalidate", &dst.StaleWhileRevalidate, 0, 10*year)
	s.size("max_object", &dst.MaxObject, 1, maxBytes)
	s.count("variants", &dst.Variants, 1, maxVariants)
	s.count("origins", &dst.Origins, 1, maxVariants)
	choice(s, "set_cookie", &dst.SetCookie, option[rfc9111.SetCookiePolicy]{"bypass", rfc9111.SetCookieBypass},
		option[rfc9111.SetCookiePolicy]{"strip", rfc9111.SetCookieStrip}, option[rfc9111.SetCookiePolicy]{"store", rfc9111.SetCookieStore})
	choice(s, "request_directives", &dst.HonourRequest, option[bool]{"honour", true}, option[bool]{"ignore", false})
	s.texts("targets", &dst.Targets)
	var surrogate bool
	if s.boolean("surrogate_control", &surrogate); surrogate {
		dst.Targets = append(dst.Targets, "Surrogate-Control")
	}
	s.duration("fetch_timeout", &dst.FetchTimeout, time.Millisecond, maxTimeout)
	s.boolean("collapse", &dst.Collapse)
}

// changes reads the fields to set and to remove. With hide the values are kept
// out of every problem: this is where an upstream's credentials stand.
func (r *reader) changes(s *section, dst *FieldChanges, hide bool) {
	s.sub("set", func(s *section) {
		s.each(func(name string, _ *yaml.Node, v value) {
			if hide {
				v.hide()
			}
			t, ok := v.emptyText()
			canonical := http.CanonicalHeaderKey(name)
			r.where[join(s.path, cut(canonical, 64))] = r.where[v.path]
			if ok {
				dst.Set = append(dst.Set, FieldSet{Name: canonical, Value: Secret(t)})
			}
		})
	})
	s.texts("remove", &dst.Remove)
}

// file reads the name of a file, relative to the configuration's folder, and
// returns what the file holds, nil when it cannot be read.
func (s *section) file(name string, dst *string) []byte {
	v, ok := s.get(name)
	if !ok {
		s.r.problem(join(s.path, name), "", "is missing", "the path of a file in PEM form")
		return nil
	}
	path, data := v.file()
	*dst = path
	return data
}

func (v value) file() (path string, data []byte) {
	path, ok := v.text()
	if !ok {
		return "", nil
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(v.r.file), path)
	}
	data, err := v.r.readFile(path)
	var pathErr *fs.PathError
	switch {
	case err == nil:
		return path, data
	case errors.Is(err, fs.ErrNotExist):
		v.problem("there is no such file", "a path, relative to the folder of the configuration")
	case errors.Is(err, fs.ErrPermission):
		v.problem("the file may not be read", "let the user that runs veneer read it")
	case errors.As(err, &pathErr):
		v.problem("the file cannot be read: "+pathErr.Err.Error(), "a regular file")
	default:
		v.problem("the file cannot be read: "+err.Error(), "a regular file")
	}
	return path, nil
}

// secret reads what the file holds that the value names, less one newline at
// its end. The content is in no problem.
func (v value) secret() (Secret, bool) {
	_, data := v.file()
	if data == nil {
		return "", false
	}
	t := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if t == "" {
		v.problem("the file is empty", "write the secret into it, for one from `openssl rand -hex 32`")
		return "", false
	}
	for i := range len(t) {
		if t[i] <= ' ' || t[i] > '~' {
			v.problem("the file holds white space or bytes that no token may have", "one line of visible ASCII")
			return "", false
		}
	}
	return Secret(t), true
}
