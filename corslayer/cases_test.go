package corslayer

import (
	"net/http"
	"strings"
	"testing"

	"veneer/corslayer/origin"
)

// The one list of cases: tests, fuzz targets and benchmarks all read it. A
// name begins with the cases of the contract that it shows; TestContract holds
// that none is forgotten.

// The policies that the cases speak of.
var (
	anybody = Config{Origins: []string{"*"}, Expose: []string{"*"}, Headers: []string{"*"}, Methods: []string{"*"}}
	static  = Config{Origins: []string{"https://app.example.com"}, Credentials: true, Expose: []string{"X-Request-Id"}}
	partner = Config{
		Origins:     []string{"https://app.example.com", "https://*.partner.example.com"},
		Methods:     []string{"GET", "POST", "PUT", "DELETE"},
		Headers:     []string{"Content-Type", "Authorization"},
		Expose:      []string{"ETag", "X-Request-Id"},
		Credentials: true,
	}
	nulls = Config{Origins: []string{"https://app.example.com"}, AllowNull: true}
)

const (
	app      = "https://app.example.com"
	shop     = "https://shop.partner.example.com"
	stranger = "https://evil.example"
)

func with(c Config, change func(*Config)) Config {
	change(&c)
	return c
}

func compile(t testing.TB, c Config) *Policy {
	t.Helper()
	p, problems := Compile(c)
	if p == nil {
		t.Fatalf("cannot compile: %v", problems)
	}
	return p
}

func head(pairs ...string) http.Header {
	h := make(http.Header)
	for i := 0; i < len(pairs); i += 2 {
		h[pairs[i]] = append(h[pairs[i]], pairs[i+1])
	}
	return h
}

// origins are the Origin lines that every policy is asked about: one list for
// decisions, responses, fuzzing and benchmarks.
var origins = map[string][]string{
	"none":     nil,
	"exact":    {app},
	"pattern":  {shop},
	"refused":  {stranger},
	"null":     {"null"},
	"empty":    {""},
	"two":      {app, app},
	"list":     {app + ", " + stranger},
	"upper":    {"HTTPS://APP.EXAMPLE.COM"},
	"too long": {app + strings.Repeat("m", 400)},
}

var badInList = Decision{Class: origin.Bad, Bucket: "other", FullOnConditional: true}

var decideCases = []struct {
	name   string
	config Config
	want   map[string]Decision
}{
	{"C1 K2 list", partner, map[string]Decision{
		"none":     {},
		"exact":    {Class: origin.Valid, Bucket: app, Allowed: true, ForwardOrigin: true},
		"pattern":  {Class: origin.Valid, Bucket: shop, Allowed: true, ForwardOrigin: true, Capped: true},
		"refused":  {Class: origin.Valid, Bucket: "other", FullOnConditional: true},
		"null":     {Class: origin.Null, Bucket: "other", FullOnConditional: true},
		"empty":    badInList,
		"two":      badInList,
		"list":     badInList,
		"upper":    badInList,
		"too long": badInList,
	}},
	{"K2 static", static, map[string]Decision{
		"none":    {},
		"exact":   {Class: origin.Valid, Bucket: app, Allowed: true, ForwardOrigin: true},
		"refused": {Class: origin.Valid, Bucket: "other"},
		"two":     {Class: origin.Bad, Bucket: "other"},
	}},
	{"K2 any", anybody, map[string]Decision{
		"none":    {},
		"exact":   {Class: origin.Valid, Allowed: true, FullWithCookie: true},
		"refused": {Class: origin.Valid, Allowed: true, FullWithCookie: true},
		"null":    {Class: origin.Null, Allowed: true, FullWithCookie: true},
		"two":     {Class: origin.Bad, Allowed: true, FullWithCookie: true},
	}},
	{"C3 K2 null", nulls, map[string]Decision{
		"null":    {Class: origin.Null, Bucket: "null", Allowed: true, ForwardOrigin: true, FullWithCookie: true},
		"refused": {Class: origin.Valid, Bucket: "other", FullOnConditional: true},
	}},
	{"C5 enforce", with(partner, func(c *Config) { c.Enforce, c.PublicOrigins = true, []string{stranger} }), map[string]Decision{
		"exact":   {Class: origin.Valid, Bucket: app, Allowed: true, ForwardOrigin: true},
		"refused": {Class: origin.Valid, Bucket: "other", FullOnConditional: true}, // the route's own
		"null":    {Class: origin.Null, Bucket: "other", FullOnConditional: true, Refuse: true},
		"two":     {Class: origin.Bad, Bucket: "other", FullOnConditional: true, Refuse: true},
		"none":    {},
	}},
	{"K4 pass", Config{Mode: ModePass}, map[string]Decision{
		"none":    {Allowed: true},
		"exact":   {Class: origin.Valid, Bucket: app, Allowed: true, ForwardOrigin: true, Capped: true},
		"refused": {Class: origin.Valid, Bucket: stranger, Allowed: true, ForwardOrigin: true, Capped: true},
		"null":    {Class: origin.Null, Bucket: "null", Allowed: true, ForwardOrigin: true, Capped: true},
		"two":     {Class: origin.Bad, Bucket: "other", ForwardOrigin: true, BypassStore: true},
		"empty":   {Class: origin.Bad, Bucket: "other", ForwardOrigin: true, BypassStore: true},
	}},
	{"K2 off", Config{Mode: ModeOff}, map[string]Decision{
		"none":  {},
		"exact": {Class: origin.Valid, FullOnConditional: true},
		"null":  {Class: origin.Null, FullOnConditional: true},
		"two":   {Class: origin.Bad, FullOnConditional: true},
	}},
}

// applyCases are the rows of the Emit table: the response as stored, the name
// of the Origin lines, and what the client gets.
var applyCases = []struct {
	name        string
	config      Config
	stored      http.Header
	origin      string // a key of origins
	want        http.Header
	notOrdinary bool // it may allocate
}{
	{name: "Emit * for an origin", config: anybody, stored: head("Etag", "1"), origin: "refused",
		want: head("Etag", "1", fieldAllowOrigin, "*", fieldExposeHeaders, "*")},
	{name: "Emit * without Origin", config: anybody, stored: head(), origin: "none", want: head(fieldAllowOrigin, "*", fieldExposeHeaders, "*")},
	{name: "Emit * for null", config: anybody, stored: head(), origin: "null", want: head(fieldAllowOrigin, "*", fieldExposeHeaders, "*")},
	{name: "Emit * for bad", config: anybody, stored: head(), origin: "two", want: head(fieldAllowOrigin, "*", fieldExposeHeaders, "*")},
	{name: "Emit static, allowed", config: static, stored: head(), origin: "exact",
		want: head(fieldAllowOrigin, app, fieldAllowCredentials, "true", fieldExposeHeaders, "X-Request-Id")},
	{name: "Emit static, refused", config: static, stored: head(), origin: "refused",
		want: head(fieldAllowOrigin, app, fieldAllowCredentials, "true", fieldExposeHeaders, "X-Request-Id")},
	{name: "Emit static, no Origin", config: static, stored: head(), origin: "none",
		want: head(fieldAllowOrigin, app, fieldAllowCredentials, "true", fieldExposeHeaders, "X-Request-Id")},
	{name: "Emit dynamic, refused", config: with(static, func(c *Config) { c.Dynamic = true }), stored: head(), origin: "refused", want: head(fieldVary, "Origin")},
	{name: "E1 Emit list, allowed", config: partner, stored: head(), origin: "exact",
		want: head(fieldAllowOrigin, app, fieldAllowCredentials, "true", fieldExposeHeaders, "ETag, X-Request-Id", fieldVary, "Origin")},
	{name: "Emit enforce, one origin, refused", config: with(static, func(c *Config) { c.Enforce, c.PublicOrigins = true, []string{"https://own.example"} }),
		stored: head(), origin: "refused", want: head(fieldVary, "Origin")},
	{name: "Emit list, pattern", config: partner, stored: head(), origin: "pattern",
		want: head(fieldAllowOrigin, shop, fieldAllowCredentials, "true", fieldExposeHeaders, "ETag, X-Request-Id", fieldVary, "Origin")},
	{name: "Emit list, refused", config: partner, stored: head("X", "1"), origin: "refused", want: head("X", "1", fieldVary, "Origin")},
	{name: "Emit list, null", config: partner, stored: head(), origin: "null", want: head(fieldVary, "Origin")},
	{name: "Emit list, bad", config: partner, stored: head(), origin: "list", want: head(fieldVary, "Origin")},
	{name: "Emit list, no Origin", config: partner, stored: head(), origin: "none", want: head(fieldVary, "Origin")},
	{name: "C3 null allowed", config: nulls, stored: head(), origin: "null", want: head(fieldAllowOrigin, "null", fieldVary, "Origin")},
	{name: "Emit no credentials", config: nulls, stored: head(), origin: "exact", want: head(fieldAllowOrigin, app, fieldVary, "Origin")},

	{name: "E2 names kept", config: partner, stored: head(fieldVary, "Accept-Encoding"), origin: "none", want: head(fieldVary, "Accept-Encoding, Origin")},
	{name: "E2 lines merged", config: partner, stored: head(fieldVary, "Accept-Encoding, ,Cookie", fieldVary, "accept-encoding"), origin: "none",
		want: head(fieldVary, "Accept-Encoding, Cookie, Origin")},
	{name: "E2 already there", config: partner, stored: head(fieldVary, "origin,Accept"), origin: "none", want: head(fieldVary, "origin, Accept")},
	{name: "E2 alone already", config: partner, stored: head(fieldVary, "Origin"), origin: "none", want: head(fieldVary, "Origin")},
	{name: "E2 * wins", config: partner, stored: head(fieldVary, "Accept", fieldVary, "*"), origin: "none", want: head(fieldVary, "*")},
	{name: "E2 merged without a list too", config: static, stored: head(fieldVary, "Accept", fieldVary, "Cookie"), origin: "none",
		want: head(fieldVary, "Accept, Cookie", fieldAllowOrigin, app, fieldAllowCredentials, "true", fieldExposeHeaders, "X-Request-Id")},
	{name: "E2 a very long Vary", config: partner, stored: head(fieldVary, strings.Repeat("a, ", 300)), origin: "none", want: head(fieldVary, "a, Origin"), notOrdinary: true},

	{name: "E3 auto", config: with(nulls, func(c *Config) { c.Expose = []string{"auto"} }), origin: "exact",
		stored: head("Etag", "1", "Content-Type", "a/b", "Set-Cookie", "a=b", "Age", "1", "X-B", "1", "X-B", "2"),
		want: head("Etag", "1", "Content-Type", "a/b", "Set-Cookie", "a=b", "Age", "1", "X-B", "1", "X-B", "2",
			fieldAllowOrigin, app, fieldVary, "Origin", fieldExposeHeaders, "Age, Etag, X-B")},
	{name: "E3 auto, nothing to expose", config: with(nulls, func(c *Config) { c.Expose = []string{"auto"} }), origin: "exact",
		stored: head("Content-Type", "a/b"), want: head("Content-Type", "a/b", fieldAllowOrigin, app, fieldVary, "Origin")},
	{name: "E6 media", config: with(partner, func(c *Config) { c.Media = true }), stored: head(), origin: "exact",
		want: head(fieldAllowOrigin, app, fieldAllowCredentials, "true", fieldVary, "Origin",
			fieldExposeHeaders, "ETag, X-Request-Id, Content-Range, Accept-Ranges, Content-Encoding")},
	{name: "E4 allowed", config: with(nulls, func(c *Config) { c.TimingAllowOrigin, c.ResourcePolicy = true, "cross-origin" }), origin: "exact",
		stored: head(fieldTiming, "https://other.example"),
		want:   head(fieldAllowOrigin, app, fieldVary, "Origin", fieldTiming, app, fieldResourcePolicy, "cross-origin")},
	{name: "E4 refused", config: with(nulls, func(c *Config) { c.TimingAllowOrigin, c.ResourcePolicy = true, "same-site" }), origin: "refused",
		stored: head(fieldTiming, "*"), want: head(fieldVary, "Origin", fieldResourcePolicy, "same-site")},
	{name: "S Emit merge", config: with(partner, func(c *Config) { c.MergeExpose = true }), origin: "exact",
		stored: head(ExposedField, "X-Up, etag"),
		want: head(fieldAllowOrigin, app, fieldAllowCredentials, "true", fieldVary, "Origin",
			fieldExposeHeaders, "ETag, X-Request-Id, X-Up")},
	{name: "S Emit merge, nothing there", config: with(partner, func(c *Config) { c.MergeExpose = true }), origin: "exact", stored: head(),
		want: head(fieldAllowOrigin, app, fieldAllowCredentials, "true", fieldVary, "Origin", fieldExposeHeaders, "ETag, X-Request-Id")},
	{name: "S Emit merge *", config: with(nulls, func(c *Config) { c.MergeExpose = true }), origin: "exact", stored: head(ExposedField, "*"),
		want: head(fieldAllowOrigin, app, fieldVary, "Origin", fieldExposeHeaders, "*")},
	{name: "E3 merge *, stored before there were credentials", config: with(partner, func(c *Config) { c.MergeExpose = true }), origin: "exact",
		stored: head(ExposedField, "*"),
		want:   head(fieldAllowOrigin, app, fieldAllowCredentials, "true", fieldExposeHeaders, "ETag, X-Request-Id", fieldVary, "Origin")},
	{name: "S Emit merge, refused", config: with(partner, func(c *Config) { c.MergeExpose = true }), origin: "refused",
		stored: head(ExposedField, "X-Up"), want: head(fieldVary, "Origin")},

	{name: "Emit off", config: Config{Mode: ModeOff}, stored: head(fieldVary, "Accept", fieldVary, "Cookie", ExposedField, "X"), origin: "exact",
		want: head(fieldVary, "Accept", fieldVary, "Cookie")},
	{name: "Emit pass", config: Config{Mode: ModePass}, stored: head(fieldAllowOrigin, app), origin: "exact", want: head(fieldAllowOrigin, app)},
	{name: "Emit pass, always", config: Config{Mode: ModePass, VaryFix: VaryAlways}, stored: head(), origin: "none", want: head(fieldVary, "Origin")},
}

// owned is a response of an upstream that has a CORS layer of its own.
func owned() http.Header {
	return head(fieldAllowOrigin, app, fieldAllowOrigin, app, fieldAllowCredentials, "true", fieldAllowMethods, "GET", fieldAllowHeaders, "X",
		fieldAllowNetwork, "true", fieldExposeHeaders, "X-Up, bad name, etag,x-up", fieldExposeHeaders, "*", fieldMaxAge, "5",
		fieldVary, "Origin", "Etag", "1", ExposedField, "spoofed", fieldTiming, "*")
}

var bare = head(fieldVary, "Origin", "Etag", "1", fieldTiming, "*")

// stripCases: an upstream's response, and what of it may be stored.
var stripCases = []struct {
	name   string
	config Config
	in     func() http.Header
	lines  int
	want   http.Header
}{
	{"S K5 own", partner, owned, 9, bare},
	{"S K5 any", anybody, owned, 9, bare},
	{"S off", Config{Mode: ModeOff}, owned, 9, bare},
	{"S merge, with credentials", with(partner, func(c *Config) { c.MergeExpose = true }), owned, 9,
		head(fieldVary, "Origin", "Etag", "1", fieldTiming, "*", ExposedField, "X-Up, etag")},
	{"S merge *", with(nulls, func(c *Config) { c.MergeExpose = true }), owned, 9,
		head(fieldVary, "Origin", "Etag", "1", fieldTiming, "*", ExposedField, "*")},
	{"S trailers, 304, 1xx: fields alone", partner, func() http.Header { return head(fieldMaxAge, "1") }, 1, head()},
	{"S a field without a value", partner, func() http.Header { return http.Header{fieldAllowOrigin: nil} }, 1, head()},
	{"S a field that is yet to come", partner, func() http.Header { return head("Access-Control-Allow-Anything", "x") }, 1, head()},
	{"S nothing to do", partner, func() http.Header { return head("Etag", "1") }, 0, head("Etag", "1")},
	{"A1 pass", Config{Mode: ModePass}, owned, 0, owned()},
}

// stripVaryCases: what stays of Vary where the upstream was not shown all.
var stripVaryCases = []struct {
	name   string
	config Config
	shared bool
	vary   []string
	want   []string
}{
	{"K3 bucket keeps Origin", partner, false, []string{"Origin, Accept"}, []string{"Origin, Accept"}},
	{"K3 bucket hides preflight fields", partner, false, []string{"origin", "access-control-request-method, Access-Control-Request-Headers, Accept"}, []string{"origin, Accept"}},
	{"K3 shared", partner, true, []string{"Accept", "ORIGIN"}, []string{"Accept"}},
	{"K3 shared, nothing left", partner, true, []string{"Origin"}, nil},
	{"K3 any", anybody, false, []string{"Origin, Accept"}, []string{"Accept"}},
	{"K3 off", Config{Mode: ModeOff}, false, []string{"Origin"}, nil},
	{"K3 pass", Config{Mode: ModePass}, true, []string{"Origin"}, []string{"Origin"}},
	{"K3 nothing to do", partner, true, []string{"Accept,  Cookie", "X"}, []string{"Accept,  Cookie", "X"}},
	{"K3 *", partner, true, []string{"*"}, []string{"*"}},
	{"K3 * stays", partner, true, []string{"Origin, *"}, []string{"*"}},
	{"K3 no Vary", partner, true, nil, nil},
	{"K3 hides the field of private networks", partner, false, []string{"Accept, Access-Control-Request-Private-Network"}, []string{"Accept"}},
}
