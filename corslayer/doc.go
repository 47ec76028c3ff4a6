// Package corslayer compiles what an operator says about CORS and answers
// three questions with it: what a browser's preflight gets (Preflight), what
// of an upstream's response must not be stored (Strip), and what a response
// says to the client at hand (Apply).
//
// A response is stored bare and gets its CORS fields after the lookup, so one
// stored response serves every origin and none of them sees another's fields.
// In pass mode the application keeps its say; the package then only finds out
// where the application's answers cannot be stored safely (ObservePass).
//
// The comments name the cases of the contract: C classify, K key, E emit, P
// preflight, A pass. "Fetch" is the WHATWG Fetch standard. Origin is always
// the browser's web origin.
//
// # Coming from another system
//
// What is said elsewhere, and what says the same in Veneer's configuration.
// Each line is a section below, and a script in cmd/veneer/testdata/script,
// seed_NAME.txtar, that starts the program with the configuration shown and
// compares whole responses. ${API} and its like are addresses of upstreams,
// from the environment.
//
//	ELSEWHERE                                  HERE                                SCRIPT
//	Nginx: one origin, several services        cors: "off" on each route           nginx_one_origin
//	Nginx: hide the fields, add them, always   a policy of one origin              nginx_cors
//	AWS API Gateway, REST (v1)                 a policy of one origin              aws_rest
//	AWS API Gateway, HTTP (v2)                 a policy, dynamic: true             aws_http
//	Kong: cors plugin                          a policy of a list                  kong
//	Traefik: headers middleware                a policy of a list, match.host      traefik
//	Cloudflare Workers: proxy for an API       external: true on the upstream      worker
//	Backend for the frontend (BFF)             cors: "off", headers.request.set    bff
//	CloudFront: Origin in the cache policy     key.origin: bucket, or shared       cloudfront
//	Cloudflare: Origin in the cache key        cors: pass                          cloudflare_key
//	Fastly: Vary respected                     cors: pass, or a policy             fastly
//	Node: a set of origins                     a policy of a list                  node_allowlist
//	Node: endsWith(".example.com")             https://*.example.com:*             node_subdomains
//	add_header ... always                      nothing: every response has them    always_on_errors
//	Doubled header lines                       nothing: removed; check, log        double_headers
//	Load balancer in front                     server.trusted_proxies              load_balancer
//	The debugging checklist, with curl         nothing: a policy passes it         checklist
//	Values that browsers do not take           veneer check                        mistakes
//
// Not built yet, of what those systems also do: static files from a directory
// (try_files), one answer made of several services' and a session cookie
// turned into a token (both of a BFF), logins (an authorizer), configuration
// by Docker labels or an API, and an access log.
//
// # Nginx: one origin in front of several services
//
// The browser sees one origin, so there is nothing to allow: the best CORS
// configuration is none. Routes with cors: "off" add no field, remove what a
// service sends, and answer another origin's preflight with 403. A path that
// ends in * is a prefix as nginx has it; /api/users/ would leave /api/users to
// the route for /. Host, X-Forwarded-For and X-Forwarded-Proto are sent
// without being asked for; server.https has the certificate, and HTTP/2. Static
// files are not built yet: the frontend is an upstream. Script:
// seed_nginx_one_origin.txtar.
//
//	routes:
//	  - { match: { host: app.example.com, path: / },            upstream: frontend, cors: "off" }
//	  - { match: { host: app.example.com, path: /api/users* },  upstream: users,    cors: "off" }
//	  - { match: { host: app.example.com, path: /api/orders* }, upstream: orders,   cors: "off" }
//	  - { match: { host: app.example.com, path: /api/auth* },   upstream: auth,     cors: "off" }
//
// # Nginx: proxy_hide_header and add_header always
//
// A policy does both: all CORS fields of the application are removed (nginx
// hides those that are named), one line of each is sent, on errors too. The
// fields of a preflight stand in preflights alone, and no application has to
// answer OPTIONS. check warns that Chromium keeps a preflight's answer for two
// hours at most, whatever max_age says. Script: seed_nginx_cors.txtar.
//
//	cors:
//	  app:
//	    origins: https://app.example.com
//	    methods: [GET, POST, PUT, DELETE, OPTIONS]
//	    headers: [Content-Type, Authorization]
//	    max_age: 24h
//
// # AWS API Gateway, REST (v1)
//
// One place instead of the two, MockIntegration with its integration response,
// and gateway responses: a 403 of the authorizer, a 429, and a 502 that Veneer
// makes itself are as readable as a 200. Values are written as they are, with
// no quotes inside quotes. As there, the one origin is named in every
// response; a preflight of another is refused with 403, where that gateway
// says 200 and leaves it to the browser. Throttling is rate_limit on the route;
// logins are the upstream's, for they are not built yet. Script:
// seed_aws_rest.txtar.
//
//	cors:
//	  app:
//	    origins: https://app.example.com
//	    methods: [GET, POST, PUT, DELETE, OPTIONS]
//	    headers: [Content-Type, Authorization]
//	    max_age: 24h
//	upstreams:
//	  lambda: { servers: "${LAMBDA}" }
//	routes:
//	  - { match: { path: /prod/ }, upstream: lambda, cors: app }
//
// # AWS API Gateway, HTTP (v2)
//
// CorsConfiguration is a policy, AllowOrigins is origins, and so on; MaxAge
// has a unit here. What the integration says of CORS is ignored, as there.
// dynamic: true says nothing to other origins, and Vary: Origin to caches,
// even while the list has one entry. Script: seed_aws_http.txtar.
//
//	cors:
//	  my-api:
//	    origins: [https://app.example.com]
//	    dynamic: true # as that gateway does: say nothing to other origins
//	    methods: [GET, POST, PUT, DELETE, OPTIONS]
//	    headers: [Content-Type, Authorization]
//	    max_age: 24h
//
// # Kong
//
// The plugin's config is the policy, nearly word for word, and preflights do
// not reach the service either. Kong's proxy-cache stores what its cors plugin
// wrote; here what is stored is bare, so a policy that changes holds at once
// for what was stored before. Configuration over HTTP is not built yet: change
// the file and send SIGHUP. Script: seed_kong.txtar.
//
//	cors:
//	  my-api:
//	    origins: [https://app.example.com, https://partner.example.com]
//	    methods: [GET, POST, PUT, DELETE, OPTIONS]
//	    headers: [Content-Type, Authorization]
//	    max_age: 24h
//	    credentials: true
//	upstreams:
//	  my-api: { servers: "${MY_API}" }
//	routes:
//	  - { match: { path: / }, upstream: my-api, cors: my-api }
//
// # Traefik
//
// The middleware is a policy, the router's rule is match. Vary: Origin is
// always sent, where Traefik has to be told (addVaryHeader). Docker labels are
// not built yet. Script: seed_traefik.txtar.
//
//	cors:
//	  cors-headers:
//	    origins: [https://app.example.com, https://partner.example.com]
//	    methods: [GET, POST, PUT, DELETE, OPTIONS]
//	    headers: [Content-Type, Authorization]
//	    max_age: 24h
//	    credentials: true
//	upstreams:
//	  my-backend: { servers: "${MY_BACKEND}" }
//	routes:
//	  - { match: { host: api.example.com }, upstream: my-backend, cors: cors-headers }
//
// # Cloudflare Workers: a CORS proxy for somebody else's API
//
// An upstream that is external: the server is fixed, a redirect is followed
// while it stays there, and an address that is not public is refused once the
// name is resolved. The Worker hands on all of the request's fields and the
// response's; here cookies, who asked, and Authorization unless it is listed,
// are kept from the third party, and what would act on this host is taken from
// its answers. A policy that lets in the pages of everybody, and pass, are
// refused: that would be an open proxy. Script: seed_worker.txtar.
//
//	cors:
//	  app:
//	    origins: https://app.example.com
//	    methods: [GET, POST, OPTIONS]
//	    headers: [Content-Type, Authorization]
//	    max_age: 24h
//	upstreams:
//	  third-party: { servers: "${THIRD_PARTY:-https://third-party-api.com}", external: true, forward: [Authorization] }
//	routes:
//	  - { match: { host: cors-proxy.example.com }, upstream: third-party, cors: app }
//
// # Backend for the frontend
//
// The route to it is same-origin: no CORS fields, and no Vary: Origin on what
// can be stored. A key that the services want is set here, where no browser
// sees it. To make one answer of several services', or a token of a session,
// is the backend's own work; neither is built yet. Script: seed_bff.txtar.
//
//	routes:
//	  - match: { host: app.example.com, path: /api/ }
//	    upstream: bff
//	    cors: "off"
//	    headers: { request: { set: { Authorization: "Bearer ${API_TOKEN:-secret}" } } }
//
// # CloudFront: Origin in the cache policy
//
// key.origin: bucket, the default under a policy, is that whitelist: the
// backend sees the Origin, and each allowed one has its own entry. Those that
// are not allowed have one together, so that nobody fills the cache with
// names. Where the backend's answer is alike for all origins, shared is one
// entry for all of them, and each is still told its own name. Script:
// seed_cloudfront.txtar.
//
//	cors:
//	  clients: { origins: [https://app.example.com, https://partner.example.com] }
//	upstreams:
//	  backend: { servers: "${BACKEND}" }
//	routes:
//	  - { match: { path: /api/ },    upstream: backend, cors: clients } # key.origin: bucket
//	  - { match: { path: /assets/ }, upstream: backend, cors: clients, cache: { key: { origin: shared } } }
//
// # Cloudflare: Origin in the cache key
//
// For an application that owns its CORS: cors: pass, the default, has the exact
// Origin in the key, and forwards it and preflights. A Vary: Origin that the
// application forgets is added, because a key here does not help the caches
// behind. Script: seed_cloudflare_key.txtar.
//
//	routes:
//	  - { match: { path: / }, upstream: app, cors: pass } # the default
//
// # Fastly: Vary respected
//
// The fields that a response's Vary names select among what is stored, in both
// modes. Under a policy the backend need not say Origin; what else it says is
// kept, in one line. Script: seed_fastly.txtar.
//
//	cors:
//	  clients: { origins: [https://app.example.com, https://partner.example.com] }
//	upstreams:
//	  backend: { servers: "${BACKEND}" }
//	routes:
//	  - { match: { path: /pass/ }, upstream: backend, cors: pass }
//	  - { match: { path: /own/ },  upstream: backend, cors: clients }
//
// # Node: an allowlist
//
// The set, and the request's Origin sent back when it is in it, byte for byte.
// Vary: Origin stands on every response, also without an Origin and for one
// that is not in the set: a cache in front of the Node middleware, which sets
// it only beside Access-Control-Allow-Origin, would keep an answer without
// either for everybody. Script: seed_node_allowlist.txtar.
//
//	cors:
//	  clients:
//	    origins:
//	      - https://app.example.com
//	      - https://partner.example.com
//	      - https://staging.example.com
//
// # Node: subdomains
//
// One pattern is the whole function. It cannot match https://evilexample.com
// or https://example.com.evil.test, and an exact entry that it covers is
// refused as superfluous. Allow it only where all subdomains are trusted;
// https://*.example.com is the same without other ports, https://+.example.com
// one label. Script: seed_node_subdomains.txtar.
//
//	cors:
//	  clients: { origins: ["https://*.example.com:*"] } # URL.hostname has no port, so that check takes any
//
// # Always, on errors
//
// There is no switch for it. Errors of the application, fresh and stored,
// redirects, and what Veneer answers itself (405, 413, 502, 504) have the
// fields. Only a request that no route matches has no policy; give the host a
// route for / where that matters. Script: seed_always_on_errors.txtar.
//
//	routes:
//	  - match: { path: /api/ }
//	    upstream: api
//	    cors: clients
//	    cache: { key: { origin: shared } }
//
// # Double headers
//
// One place adds them. Under a policy the application's lines are removed, and
// the log says once that there are two layers; in pass mode two equal lines
// are made one, and two that differ are passed on, logged and not stored. A
// CORS field under headers.response is refused by check. Script:
// seed_double_headers.txtar.
//
//	routes:
//	  - { match: { path: /own/ },  upstream: api, cors: app }  # strip the application's
//	  - { match: { path: /pass/ }, upstream: api, cors: pass } # leave it to the application
//
// # Load balancers
//
// They pass traffic on and CORS is here. What they say of the client is
// believed when their address is listed. Script: seed_load_balancer.txtar.
//
//	server: { http: "127.0.0.1:0", trusted_proxies: [127.0.0.0/8] }
//
// # The debugging checklist
//
// The curl lines for the four questions (does Origin get there, does the
// preflight, is a field doubled, is Origin in Vary) and those that the list
// lacks: a second origin after the first was stored, none, an error, a 304.
// veneer doctor asks them all, of any server. Script: seed_checklist.txtar.
//
//	cors:
//	  clients:
//	    origins: [https://app.example.com, https://partner.example.com]
//	    methods: [GET, POST]
//	    headers: [Content-Type, Authorization]
//
// # Mistakes
//
// veneer check refuses what browsers would not take, with the place, the
// reason and what to write: a wildcard without a scheme, two origins in one
// string, quotes inside quotes, a trailing slash, upper case, * with
// credentials, seconds without a unit, Origin as a key of one's own. Script:
// seed_mistakes.txtar.
//
//	cors:
//	  subdomains:    { origins: "*.example.com" }
//	  two-in-one:    { origins: "https://app.example.com, https://partner.example.com" }
//	  nested-quotes: { origins: "'https://app.example.com'" }
//	  slash:         { origins: https://app.example.com/ }
//	  upper-case:    { origins: https://App.Example.com }
//	  any-and-more:  { origins: "*", credentials: true }
//	  bare-seconds:  { origins: https://app.example.com, max_age: 86400 }
//	  above-the-cap: { origins: https://app.example.com, max_age: 24h }
package corslayer
