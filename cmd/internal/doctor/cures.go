package doctor

// remedy is what a finding asks for; each server has its own words for it.
type remedy int

const (
	cureNothing     remedy = iota
	cureAllow              // let the origin in
	cureDouble             // one CORS layer
	cureVary               // say Vary: Origin
	cureKey                // put Origin into the cache key
	cureBehind             // the same, in a cache behind the one that is seen
	curePurge              // throw away what was stored wrongly
	cureErrors             // CORS on errors
	cureNotModified        // CORS on 304
	cureRedirect           // CORS on redirects
	cureFinal              // do not be redirected
	curePreflight          // answer OPTIONS
	cureMethods            // allow the method
	cureHeaders            // allow the headers
	cureCredentials        // credentials and *
	cureTrue               // Allow-Credentials: true
	cureExpose             // names in Expose-Headers
	cureMaxAge             // Access-Control-Max-Age
	cureOptions            // do not cache OPTIONS
	cureStrict             // compare whole origins
	cureAnswers            // 5xx, 429
)

// cures has one line for each remedy and kind of server. kindUnknown is for
// the servers that are not listed, and each remedy has it. {…} is filled in.
var cures = map[remedy]map[kind]string{
	cureNothing: {
		kindUnknown: "nothing need be done; to try the orders on the entry itself, purge it and use --no-cache-buster",
	},
	cureAllow: {
		kindNginx:      "in http: {NGINX-MAP} in the location: add_header Access-Control-Allow-Origin $cors_origin always;",
		kindApache:     `SetEnvIf Origin "{REGEXP}" CORS=$0 and: Header always set Access-Control-Allow-Origin %{CORS}e env=CORS`,
		kindCaddy:      "@cors header_regexp Origin {REGEXP} and: header @cors Access-Control-Allow-Origin {header.Origin}",
		kindEnvoy:      "in the route's CorsPolicy (envoy.filters.http.cors): allow_origin_string_match: [{EXACT-LIST}]",
		kindTraefik:    "headers middleware: accessControlAllowOriginList: [{ORIGIN-LIST}], and the middleware on this router",
		kindKong:       "cors plugin on this service: config.origins=[{ORIGIN-LIST}]",
		kindGateway:    "HTTP API: CorsConfiguration.AllowOrigins: [{ORIGIN-LIST}]; REST API: the field on each Integration Response and Gateway Response; then deploy",
		kindCloudFront: "response headers policy: AccessControlAllowOrigins: [{ORIGIN-LIST}]; or forward Origin with an origin request policy",
		kindCloudflare: `in the Worker, for an Origin on the list: response.headers.set("Access-Control-Allow-Origin", origin)`,
		kindFastly:     "forward Origin and let the backend answer, or in vcl_deliver for an Origin on the list: set resp.http.Access-Control-Allow-Origin = req.http.Origin;",
		kindVarnish:    "forward Origin and let the backend answer, or in vcl_deliver for an Origin on the list: set resp.http.Access-Control-Allow-Origin = req.http.Origin;",
		kindExpress:    "app.use(cors({ origin: [{ORIGIN-LIST}] })) before the routes",
		kindVeneer:     "a policy with origins: [{ORIGIN-LIST}] under cors:, and cors: THE-POLICY on this route",
		kindUnknown:    "in the one layer that owns CORS: compare Origin with a list that has {ORIGINS}, and send it back as Access-Control-Allow-Origin",
	},
	cureDouble: {
		kindNginx:      "proxy_hide_header Access-Control-Allow-Origin; (and one line for each other Access-Control- field) beside add_header, or take the add_header lines out",
		kindApache:     "Header onsuccess unset Access-Control-Allow-Origin (likewise the other fields) before Header always set, or take the Header lines out",
		kindCaddy:      "in reverse_proxy: header_down -Access-Control-*, or take the header lines out",
		kindEnvoy:      "let the application send no CORS fields, or take the CorsPolicy off this route",
		kindTraefik:    "let the application send no CORS fields, or take the headers middleware off this router",
		kindKong:       "let the service behind Kong send no CORS fields, or take the cors plugin off it",
		kindGateway:    "HTTP API: leave the CORS fields out of the Lambda's answer (CorsConfiguration owns them); REST API: of the Lambda or of the Integration Response",
		kindCloudFront: "response headers policy: CorsConfig.OriginOverride: true",
		kindCloudflare: "in the Worker: response.headers.set, not append; or take the Transform Rule out",
		kindFastly:     "in vcl_fetch: unset beresp.http.Access-Control-Allow-Origin; where VCL sets its own",
		kindVarnish:    "in vcl_backend_response: unset beresp.http.Access-Control-Allow-Origin; where VCL sets its own",
		kindExpress:    "use cors() once: not in the app and in a router, and not behind a proxy that adds CORS",
		kindVeneer:     "cors: THE-POLICY on this route: what the upstream sends is stripped then",
		kindUnknown:    "choose one layer for CORS; take the fields out of the other, or strip them where they pass",
	},
	cureVary: {
		kindNginx:      "in the location: add_header Vary Origin always; (in every one that has an Access-Control- add_header)",
		kindApache:     "Header always merge Vary Origin",
		kindCaddy:      "header +Vary Origin",
		kindEnvoy:      "response_headers_to_add on the route: { header: { key: vary, value: Origin }, append_action: APPEND_IF_EXISTS_OR_ADD }",
		kindTraefik:    "headers middleware: addVaryHeader: true, and Vary from the application where no middleware answers",
		kindKong:       "cors plugin: list the origins in config.origins instead of computing the field in the service; Kong adds Vary then",
		kindGateway:    "let the integration answer Vary: Origin, or name one origin only",
		kindCloudFront: "let the origin server send Vary: Origin, and put Origin on the cache policy's header whitelist",
		kindCloudflare: `in the Worker, on every answer: response.headers.append("Vary", "Origin")`,
		kindFastly:     `in vcl_fetch: set beresp.http.Vary = if(beresp.http.Vary, beresp.http.Vary ", Origin", "Origin");`,
		kindVarnish:    `in vcl_backend_response: set beresp.http.Vary = "Origin"; (joined with what is there)`,
		kindExpress:    `res.vary("Origin") on every answer, with or without an Origin; cors({ origin: [...] }) does it`,
		kindVeneer:     "vary_fix: always in the route's pass policy, or cors: THE-POLICY so that Veneer owns CORS",
		kindUnknown:    "send Vary: Origin on every answer of this URL, also to requests without Origin and to origins that are refused",
	},
	cureKey: {
		kindNginx:      "in http: {NGINX-MAP} in the location: proxy_cache_key $scheme$proxy_host$request_uri$cors_origin;",
		kindApache:     "Header always merge Vary Origin, on the side of mod_cache where the answer is made (CacheQuickHandler off)",
		kindEnvoy:      "let the application answer Vary: Origin and allow it in the cache filter: allowed_vary_headers: [{ exact: origin }]",
		kindKong:       "proxy-cache plugin: config.vary_headers=[\"Origin\"]",
		kindGateway:    "make Origin a cache key parameter of the method request (method.request.header.Origin)",
		kindCloudFront: `cache policy: HeaderBehavior whitelist, Items: ["Origin"]`,
		kindCloudflare: "Cache Rule, Cache Key, custom: include the header Origin (Vary: Origin alone is not honoured)",
		kindFastly:     `in vcl_fetch: set beresp.http.Vary = if(beresp.http.Vary, beresp.http.Vary ", Origin", "Origin");`,
		kindVarnish:    "in vcl_hash: hash_data(req.http.Origin);",
		kindVeneer:     "key.origin: exact (pass mode) or bucket (own mode) in the route's cache section, and report it: this should not happen",
		kindUnknown:    "put Origin into the cache key, or send Vary: Origin on every answer and use a cache that honours it; then purge",
	},
	cureBehind: {
		kindUnknown: "in the cache behind it: put Origin into the key, or let the application send Vary: Origin on every answer if that cache honours it; then purge both",
	},
	curePurge: {
		kindNginx:      "mend key and Vary as above, then empty the proxy_cache_path directory",
		kindCloudFront: "mend key and Vary as above, then create an invalidation for the path",
		kindCloudflare: "mend key and Vary as above, then purge the URL",
		kindFastly:     "mend key and Vary as above, then purge the URL",
		kindVarnish:    "mend key and Vary as above, then ban the URL",
		kindVeneer:     "veneer purge --url URL, and look at the route's key.origin",
		kindUnknown:    "mend key and Vary as above, then purge the URL",
	},
	cureErrors: {
		kindNginx:      "add_header Access-Control-Allow-Origin $cors_origin always; (it is always that covers errors)",
		kindApache:     "Header always set Access-Control-Allow-Origin … (it is always that covers errors)",
		kindCaddy:      "repeat the header lines in handle_errors",
		kindKong:       "cors plugin on the service or globally, so that it runs for errors of other plugins too",
		kindGateway:    `REST API: GatewayResponses DEFAULT_4XX and DEFAULT_5XX with Access-Control-Allow-Origin: "'{A}'"; HTTP API: CorsConfiguration`,
		kindCloudFront: "response headers policy with CORS on this behaviour: it covers errors of the origin server too",
		kindCloudflare: "in the Worker: set the fields on every response, whatever its status",
		kindFastly:     "set the field in vcl_deliver, which errors pass too",
		kindVarnish:    "set the field in vcl_deliver and in vcl_synth",
		kindExpress:    "app.use(cors(...)) before everything that can fail; keep the fields in the error handler",
		kindVeneer:     "cors: THE-POLICY on this route: Veneer puts the fields on errors too",
		kindUnknown:    "put the fields on errors too: in the outermost layer, before authentication, limits and routing",
	},
	cureNotModified: {
		kindNginx:   "add_header Access-Control-Allow-Origin $cors_origin always;",
		kindApache:  "Header always set …: mod_headers drops onsuccess fields from a 304",
		kindExpress: "app.use(cors(...)) before etag and static middleware",
		kindVeneer:  "cors: THE-POLICY on this route: Veneer puts the fields on a 304 too",
		kindUnknown: "put the same Access-Control- fields and Vary on a 304 as on the 200",
	},
	cureRedirect: {
		kindNginx:   "add_header Access-Control-Allow-Origin $cors_origin always; in the location that redirects, or call the final URL",
		kindVeneer:  "cors: THE-POLICY on the route that redirects",
		kindUnknown: "call the final URL from the page, or put the Access-Control- fields on the redirect too",
	},
	cureFinal: {
		kindUnknown: "call the final URL from the page, and let {ORIGINS} in there; the fields on the redirect are another matter",
	},
	curePreflight: {
		kindNginx: `in http: {NGINX-MAP} in the location: if ($request_method = OPTIONS) { add_header Access-Control-Allow-Origin $cors_origin always; ` +
			`add_header Access-Control-Allow-Methods "GET, HEAD, {METHOD}"; add_header Access-Control-Allow-Headers "{HEADERS}"; add_header Access-Control-Max-Age 7200; add_header Vary Origin always; return 204; }`,
		kindApache:     "RewriteCond %{REQUEST_METHOD} =OPTIONS and: RewriteRule ^ - [R=204,L], before authentication",
		kindCaddy:      "@pf method OPTIONS and: respond @pf 204, with the header lines before it",
		kindEnvoy:      "envoy.filters.http.cors before the authentication and router filters, and a CorsPolicy on the route",
		kindTraefik:    "headers middleware before authentication and redirects: it answers preflights itself when accessControlAllowMethods is set",
		kindKong:       "cors plugin: config.preflight_continue=false; a route that has methods must list OPTIONS",
		kindGateway:    "an OPTIONS method without authorizer (REST API), or CorsConfiguration (HTTP API); then deploy",
		kindCloudFront: "allowed methods of the behaviour: GET, HEAD, OPTIONS, PUT, POST, PATCH, DELETE",
		kindCloudflare: `in the Worker: if (request.method === "OPTIONS") return new Response(null, { status: 204, headers })`,
		kindFastly:     `in vcl_recv: if (req.method == "OPTIONS") { error 601; } and make a 204 of it in vcl_error`,
		kindVarnish:    `in vcl_recv: if (req.method == "OPTIONS") { return (synth(204)); } with the fields in vcl_synth`,
		kindExpress:    "app.use(cors(...)) before authentication and routes: it answers OPTIONS",
		kindVeneer:     "cors: THE-POLICY on this route: Veneer answers the preflight itself",
		kindUnknown:    "answer OPTIONS with 204 and the Access-Control- fields before redirects, authentication and routing",
	},
	cureMethods: {
		kindNginx:      `add_header Access-Control-Allow-Methods "GET, HEAD, {METHOD}" always;`,
		kindApache:     `Header always set Access-Control-Allow-Methods "GET, HEAD, {METHOD}"`,
		kindCaddy:      `header Access-Control-Allow-Methods "GET, HEAD, {METHOD}"`,
		kindEnvoy:      `CorsPolicy: allow_methods: "GET, HEAD, {METHOD}"`,
		kindTraefik:    "headers middleware: accessControlAllowMethods: [GET, HEAD, {METHOD}]",
		kindKong:       "cors plugin: config.methods=[GET, HEAD, {METHOD}]",
		kindGateway:    "AllowMethods with {METHOD}; then deploy",
		kindCloudFront: "response headers policy: AccessControlAllowMethods with {METHOD}",
		kindExpress:    `cors({ methods: ["GET", "HEAD", "{METHOD}"] })`,
		kindVeneer:     "methods: [GET, HEAD, {METHOD}] in the route's policy",
		kindUnknown:    "Access-Control-Allow-Methods with {METHOD}, in these letters, in the answer to the preflight",
	},
	cureHeaders: {
		kindNginx:      `add_header Access-Control-Allow-Headers "{HEADERS}" always;`,
		kindApache:     `Header always set Access-Control-Allow-Headers "{HEADERS}"`,
		kindCaddy:      `header Access-Control-Allow-Headers "{HEADERS}"`,
		kindEnvoy:      `CorsPolicy: allow_headers: "{HEADERS}"`,
		kindTraefik:    "headers middleware: accessControlAllowHeaders: [{HEADERS}]",
		kindKong:       "cors plugin: config.headers=[{HEADERS}]",
		kindGateway:    "AllowHeaders with {HEADERS}; then deploy",
		kindCloudFront: "response headers policy: AccessControlAllowHeaders with {HEADERS}",
		kindExpress:    `cors({ allowedHeaders: [{HEADER-LIST}] })`,
		kindVeneer:     "headers: [{HEADERS}] in the route's policy",
		kindUnknown:    "Access-Control-Allow-Headers with {HEADERS} by name, compared without regard to case, in the answer to the preflight",
	},
	cureCredentials: {
		kindNginx:   "add_header Access-Control-Allow-Origin $cors_origin always; (from a map of the origins) instead of *, or leave Allow-Credentials out",
		kindKong:    "cors plugin: config.origins=[{ORIGIN-LIST}] with config.credentials=true",
		kindExpress: "cors({ origin: [{ORIGIN-LIST}], credentials: true })",
		kindVeneer:  "origins: [{ORIGIN-LIST}] and credentials: true in the route's policy",
		kindUnknown: "name the origin instead of *, with Access-Control-Allow-Credentials: true; or leave Allow-Credentials out",
	},
	cureTrue: {
		kindNginx:   "in the location: add_header Access-Control-Allow-Credentials true always;",
		kindApache:  "Header always set Access-Control-Allow-Credentials true",
		kindVeneer:  "credentials: true in the route's policy (cors: THE-POLICY)",
		kindExpress: "cors({ origin: [{ORIGIN-LIST}], credentials: true })",
		kindUnknown: "Access-Control-Allow-Credentials: true, in these letters, beside an origin by name; or leave it out",
	},
	cureExpose: {
		kindExpress: `cors({ exposedHeaders: [...] }) with names`,
		kindVeneer:  "expose: auto, or a list of names, in the route's policy",
		kindUnknown: "list the names that scripts read in Access-Control-Expose-Headers, instead of *",
	},
	cureMaxAge: {
		kindNginx:   "add_header Access-Control-Max-Age 7200 always;",
		kindApache:  "Header always set Access-Control-Max-Age 7200",
		kindKong:    "cors plugin: config.max_age=7200",
		kindExpress: "cors({ maxAge: 7200 })",
		kindVeneer:  "max_age: 2h in the route's policy",
		kindUnknown: "Access-Control-Max-Age: 7200",
	},
	cureOptions: {
		kindNginx:      "proxy_cache_methods GET HEAD; (OPTIONS answered with return 204 is not cached either)",
		kindCloudFront: "take OPTIONS out of the cached methods of the behaviour, or put Origin and both Access-Control-Request- fields into the cache policy",
		kindUnknown:    "answer OPTIONS with Cache-Control: no-store, and do not cache it",
	},
	cureStrict: {
		kindNginx:   "in http: {NGINX-MAP} with whole origins; a regular expression needs ^, $ and \\. for each dot",
		kindApache:  `SetEnvIf Origin "{REGEXP}" CORS=$0`,
		kindEnvoy:   "allow_origin_string_match with exact: instead of prefix:, suffix: or an open safe_regex:",
		kindTraefik: "accessControlAllowOriginList with whole origins instead of accessControlAllowOriginListRegex",
		kindKong:    "cors plugin: config.origins=[{ORIGIN-LIST}], whole origins and no regular expressions",
		kindExpress: "cors({ origin: [{ORIGIN-LIST}] }) instead of origin: true, a function or a regular expression",
		kindVeneer:  "origins: [{ORIGIN-LIST}] in the route's policy; a switch that begins with dangerously_ is what lets others in",
		kindUnknown: "compare the whole Origin with a list of whole origins, byte for byte: {ORIGINS}",
	},
	cureAnswers: {
		kindUnknown: "look at the server's log, mend this first, and run the command again",
	},
}
