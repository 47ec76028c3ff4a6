package doctor

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"veneer/corslayer/origin"
)

// Options say what to examine. The zero value of a field that is not required
// is good.
type Options struct {
	// URL is what the page would fetch: http or https. Required.
	URL string
	// Origins are one or two serialised origins that the server is meant to
	// let in, A and B. Required.
	Origins []string
	// Method and Headers are what a preflight asks for. The default is GET, and
	// none. The method itself is never sent.
	Method  string
	Headers []string
	// Timeout bounds each request; the default is 10 s.
	Timeout time.Duration
	// Insecure accepts any certificate.
	Insecure bool
	// NoCacheBuster sends every request to the URL as it is. Without it most go
	// to the URL with a query of their own, that no cache has seen.
	NoCacheBuster bool
	// Transport sends the requests; nil means one that honours HTTP_PROXY and
	// its like, as curl does. It must not follow redirects.
	Transport http.RoundTripper
}

// ArgumentError is a mistake in Options.
type ArgumentError struct {
	// Name is the argument as it is called on the command line.
	Name          string
	Got, Why, Fix string
}

// Error returns the mistake and its fix in one line.
func (e *ArgumentError) Error() string {
	got := e.Got
	if len(got) > 100 {
		got = got[:100] + "…"
	}
	return fmt.Sprintf("cannot use %s %q: %s; fix: %s", e.Name, strings.ToValidUTF8(got, "?"), e.Why, e.Fix)
}

const defaultTimeout = 10 * time.Second

// subject is what Options come to.
type subject struct {
	url     *url.URL
	a, b    origin.Origin // b is zero when one origin was given
	method  string
	headers []string // as they were given, without duplicates
	timeout time.Duration
}

// compile finds all mistakes at once: the error joins ArgumentErrors.
func (o Options) compile() (*subject, error) {
	var errs []error
	fail := func(err *ArgumentError) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	s := &subject{method: o.Method, timeout: o.Timeout}
	var bad *ArgumentError
	s.url, bad = parseURL(o.URL)
	fail(bad)
	if s.method == "" {
		s.method = http.MethodGet
	}
	fail(checkMethod(s.method))
	for _, name := range o.Headers {
		name = strings.TrimSpace(name)
		bad := checkHeader(name)
		fail(bad)
		if bad == nil && !slices.ContainsFunc(s.headers, func(h string) bool { return strings.EqualFold(h, name) }) {
			s.headers = append(s.headers, name)
		}
	}
	if s.timeout == 0 {
		s.timeout = defaultTimeout
	}
	if s.timeout < 0 {
		fail(&ArgumentError{"--timeout", s.timeout.String(), "it is negative", "write a duration such as 10s"})
	}
	fail(s.setOrigins(o.Origins))
	return s, errors.Join(errs...)
}

func (s *subject) setOrigins(given []string) *ArgumentError {
	const name = "--origin"
	switch {
	case len(given) == 0:
		return &ArgumentError{name, "", "there is none", "name one or two origins that the server is meant to let in: --origin https://app.example.com"}
	case len(given) > 2:
		return &ArgumentError{name, given[2], "two origins are what is compared", "run the command again with this one and another"}
	}
	for i, text := range given {
		o, bad := parseOrigin(text)
		if bad != nil {
			return bad
		}
		switch {
		case i == 1 && text == given[0]:
			return &ArgumentError{name, text, "it is given twice", "give two different origins, or one"}
		case s.url != nil && text == ownOrigin(s.url):
			return &ArgumentError{name, text, "it is the URL's own origin, for which browsers do not ask for CORS", "give the origin of another site's page"}
		case i == 0:
			s.a = o
		default:
			s.b = o
		}
	}
	return nil
}

// parseURL never repeats a password.
func parseURL(text string) (*url.URL, *ArgumentError) {
	const name = "URL"
	const example = "write a URL such as https://api.example.com/users"
	u, err := url.Parse(text)
	var parse *url.Error
	switch {
	case errors.As(err, &parse):
		return nil, &ArgumentError{name, hidePassword(text), parse.Err.Error(), example}
	case u.Scheme != "http" && u.Scheme != "https":
		fix := example
		if !strings.Contains(text, "://") && text != "" {
			fix = "write https://" + hidePassword(text)
		}
		return nil, &ArgumentError{name, hidePassword(text), "it does not begin with http:// or https://", fix}
	case u.Hostname() == "":
		return nil, &ArgumentError{name, hidePassword(text), "it has no host", example}
	case u.User != nil:
		u.User = nil
		return nil, &ArgumentError{name, u.String(), "it had a user name, and no credentials are sent", "leave it out; what needs them can be seen in the answer without"}
	case strings.Contains(text, "#"):
		return nil, &ArgumentError{name, text, "it has a fragment, which is never sent", "write " + text[:strings.IndexByte(text, '#')]}
	}
	if u.Path == "" {
		u.Path = "/"
	}
	return u, nil
}

func hidePassword(text string) string {
	if i := strings.LastIndexByte(text, '@'); i >= 0 {
		return "…" + text[i:]
	}
	return text
}

// ownOrigin serialises a URL's origin.
func ownOrigin(u *url.URL) string {
	host := strings.ToLower(u.Host)
	if u.Scheme == "https" {
		host = strings.TrimSuffix(host, ":443")
	} else {
		host = strings.TrimSuffix(host, ":80")
	}
	return u.Scheme + "://" + host
}

// parseOrigin reads a serialised origin; what is wrong with others the package
// origin knows best.
func parseOrigin(text string) (origin.Origin, *ArgumentError) {
	if o, ok := origin.Parse(text); ok {
		return o, nil
	}
	bad := &ArgumentError{Name: "--origin", Got: text}
	var fault *origin.Fault
	_, err := origin.ParsePattern(text)
	switch {
	case text == "null" || text == "*":
		bad.Why = "it is not the origin of one site"
		bad.Fix = "write an origin such as https://app.example.com; null and a stranger are tried without being asked for"
	case errors.As(err, &fault):
		bad.Why, bad.Fix = fault.Why, fault.Fix
	default:
		bad.Why, bad.Fix = "it is a pattern", "write one origin that the pattern stands for, such as https://app.example.com"
	}
	return origin.Origin{}, bad
}

func checkMethod(m string) *ArgumentError {
	const name = "--method"
	upper := strings.ToUpper(m)
	switch {
	case !isToken(m):
		return &ArgumentError{name, m, "it is not a method", "write one such as PUT"}
	case slices.Contains([]string{http.MethodConnect, http.MethodTrace, "TRACK"}, upper):
		return &ArgumentError{name, m, "browsers never send it (Fetch, forbidden method)", "name a method that the page uses"}
	case m != upper && slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"}, upper):
		return &ArgumentError{name, m, "methods are compared with regard to case", "write " + upper}
	}
	return nil
}

func checkHeader(field string) *ArgumentError {
	const name = "--header"
	lower := strings.ToLower(field)
	switch {
	case strings.Contains(field, ":"):
		field, _, _ = strings.Cut(field, ":")
		return &ArgumentError{name, field + ": …", "it has a value, and no value is sent", "write " + field}
	case !isToken(field):
		return &ArgumentError{name, field, "it is not a field name", "write a name such as Authorization"}
	case slices.Contains([]string{"cookie", "host", "origin", "referer", "content-length", "connection"}, lower),
		strings.HasPrefix(lower, "sec-"), strings.HasPrefix(lower, "proxy-"), strings.HasPrefix(lower, "access-control-"):
		return &ArgumentError{name, field, "scripts cannot set it (Fetch, forbidden request-header)", "name a field that the page sets"}
	}
	return nil
}

// isToken: RFC 9110 §5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		alnum := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !alnum && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}

// unsafeHeaders are the names that a browser puts in
// Access-Control-Request-Headers: lower case, sorted, without those that need
// no preflight. Content-Type stays: application/json needs one.
func (s *subject) unsafeHeaders() []string {
	var names []string
	for _, h := range s.headers {
		h = strings.ToLower(h)
		if !slices.Contains([]string{"accept", "accept-language", "content-language", "range"}, h) {
			names = append(names, h)
		}
	}
	slices.Sort(names)
	return names
}

// safeMethod: CORS-safelisted method (Fetch). It needs no preflight, and no
// mention in Access-Control-Allow-Methods.
func (s *subject) safeMethod() bool {
	return slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodPost}, s.method)
}

// needsPreflight: a browser would send one for the method and the headers.
func (s *subject) needsPreflight() bool { return !s.safeMethod() || len(s.unsafeHeaders()) > 0 }

// variant serialises an origin with A's scheme and port and another host.
func (s *subject) variant(host string) string {
	text := s.a.Scheme + "://" + host
	if s.a.Port != 0 {
		text += fmt.Sprintf(":%d", s.a.Port)
	}
	if _, ok := origin.Parse(text); !ok {
		return ""
	}
	return text
}

// onPort serialises A's scheme and host with another port.
func (s *subject) onPort(port int) string {
	text := fmt.Sprintf("%s://%s:%d", s.a.Scheme, s.a.Host, port)
	if _, ok := origin.Parse(text); !ok {
		return ""
	}
	return text
}

// stranger is an origin that no server has a reason to let in (RFC 6761 §6.4).
const stranger = "https://veneer-doctor.invalid"

// lookalikes are origins of somebody else that a sloppy comparison takes for
// A. One that cannot be made from A is "".
type lookalikes struct {
	suffixed string // begins like A
	prefixed string // ends like A
	dotless  string // is A when a dot stands for any byte
	insecure string // is A, but anybody on the way can be it
	port     string // A's host, and another server on it
	sibling  string // another name under A's registrable domain
	glued    string // ends like A's registrable domain
}

func (s *subject) lookalikes() lookalikes {
	var l lookalikes
	host := strings.TrimSuffix(s.a.Host, ".")
	if s.a.Scheme == "https" && !s.a.Loopback() {
		l.insecure = strings.Replace(s.a.Text, "https://", "http://", 1)
		if _, ok := origin.Parse(l.insecure); !ok {
			l.insecure = "" // https on port 80
		}
	}
	if l.port = s.onPort(8443); s.a.Port == 8443 || l.port == s.b.Text {
		l.port = s.onPort(9443)
	}
	if strings.HasPrefix(host, "[") {
		return l
	}
	l.suffixed = s.variant(host + ".evil.invalid")
	domain, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil || s.variant("evil"+host) == "" {
		return l
	}
	l.prefixed = s.variant("evil" + host)
	// Only outside of A's own domain is a match a mistake beyond doubt.
	dot := len(host) - len(domain) - 1
	if dot < 0 {
		dot = strings.IndexByte(host, '.')
	}
	l.dotless = s.variant(host[:dot] + "x" + host[dot+1:])
	if host != domain {
		l.sibling, l.glued = s.variant("veneer-doctor."+domain), s.variant("evil"+domain)
	}
	return l
}
