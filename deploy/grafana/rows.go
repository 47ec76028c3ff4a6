package main

// row is a heading with the panels below it.
type row struct {
	title  string
	panels []panel
}

// Selectors that every query of their kind has.
const (
	of    = `instance=~"$instance"`
	route = of + `, route=~"$route"`
	http  = of + `, http_route=~"$route"`
	per   = `[$__rate_interval]`
)

// asked are the requests that the cache is for, and served those of them that
// asked no upstream of their own.
const (
	asked  = `veneer_cache_requests_total{` + route + `, result!~"preflight|error"}` + per
	served = `veneer_cache_requests_total{` + route + `, result=~"hit|stale|collapsed"}` + per

	answers = `veneer_http_responses_total{` + route + `}` + per
	failed  = `veneer_http_responses_total{` + route + `, status="5xx"}` + per

	decided = `veneer_cors_decisions_total{` + route + `, decision!="none"}` + per
	refused = `veneer_cors_decisions_total{` + route + `, decision=~"refused|bad|preflight_refused_.*"}` + per
)

var rows = []row{
	{"At a glance", []panel{
		{title: "Requests", unit: "reqps", kind: number, about: "Requests a second, of all kinds.",
			queries: [][2]string{{`sum(rate(veneer_cache_requests_total{` + route + `}` + per + `))`, ""}}},
		{title: "Hit ratio", unit: "percentunit", kind: number, good: 0.8, bad: 0.4,
			about:   "Requests that asked no upstream of their own (hit, stale, collapsed) of those that the cache is for. What is good depends on the site: compare it with itself.",
			queries: [][2]string{{`sum(rate(` + served + `)) / sum(rate(` + asked + `))`, ""}}},
		{title: "Errors", unit: "percentunit", kind: number, good: 0.01, bad: 0.05, about: "Responses with a status of 5xx, the upstream's and Veneer's own.",
			queries: [][2]string{{`(sum(rate(` + failed + `)) or vector(0)) / sum(rate(` + answers + `))`, ""}}},
		{title: "99th percentile", unit: "s", kind: number, good: 0.25, bad: 1, about: "From a request's head to the end of its response; slow clients are in it.",
			queries: [][2]string{{`histogram_quantile(0.99, sum by (le) (rate(http_server_request_duration_seconds_bucket{` + http + `}` + per + `)))`, ""}}},
		{title: "Stored", unit: "bytes", kind: number, about: "What the stored responses of all nodes take.",
			queries: [][2]string{{`sum(veneer_cache_bytes{` + of + `})`, ""}}},
		{title: "Nodes on a good configuration", unit: "percentunit", kind: number, good: 1, bad: 0.99, about: "Nodes whose last reload succeeded. The others go on with the configuration before; the log and /readyz say why.",
			queries: [][2]string{{`avg(veneer_config_last_reload_successful{` + of + `})`, ""}}},
	}},
	{"Cache", []panel{
		{title: "Requests by result", unit: "reqps", kind: areas, about: "How the cache answered: see veneer explain for one request. Bypass is what is not for a cache, or what was not stored the last time.",
			queries: [][2]string{{`sum by (result) (rate(veneer_cache_requests_total{` + route + `}` + per + `))`, "{{result}}"}}},
		{title: "Hit ratio by route", unit: "percentunit", kind: lines, about: "As above, for each route.",
			queries: [][2]string{{`sum by (route) (rate(` + served + `)) / sum by (route) (rate(` + asked + `))`, "{{route}}"}}},
		{title: "Not stored, by reason", unit: "reqps", kind: areas, about: "Responses of upstreams that were not stored. veneer explain --reason WORD says what a reason means and what to do.",
			queries: [][2]string{{`sum by (reason) (rate(veneer_cache_not_stored_total{` + route + `}` + per + `))`, "{{reason}}"}}},
		{title: "Asked by clients, asked of upstreams", unit: "reqps", kind: lines, about: "The distance between the two is what the cache takes from the upstreams.",
			queries: [][2]string{
				{`sum(rate(http_server_request_duration_seconds_count{` + http + `}` + per + `))`, "by clients"},
				{`sum(rate(http_client_request_duration_seconds_count{` + of + `}` + per + `))`, "of upstreams"}}},
		{title: "Stored bytes", unit: "bytes", kind: areas, about: "By node and tier. It grows to store.memory.size, and stays there.",
			queries: [][2]string{{`sum by (instance, tier) (veneer_cache_bytes{` + of + `})`, "{{instance}} {{tier}}"}}},
		{title: "Stored responses", unit: "short", kind: areas, about: "By node and tier.",
			queries: [][2]string{{`sum by (instance, tier) (veneer_cache_objects{` + of + `})`, "{{instance}} {{tier}}"}}},
		{title: "Evictions", unit: "ops", kind: lines, about: "Stored responses that had to make room, a second. A full store evicts; as many evictions as misses mean that it is small.",
			queries: [][2]string{{`sum by (instance, tier) (rate(veneer_cache_evictions_total{` + of + `}` + per + `))`, "{{instance}} {{tier}}"}}},
		{title: "Purges", unit: "ops", kind: lines, about: "By kind: a URL, a prefix, a tag, or all.",
			queries: [][2]string{{`sum by (kind) (rate(veneer_purges_total{` + of + `}` + per + `))`, "{{kind}}"}}},
	}},
	{"Latency and errors", []panel{
		{title: "Requests, percentiles", unit: "s", kind: lines, about: "From a request's head to the end of its response.",
			queries: [][2]string{
				{`histogram_quantile(0.5, sum by (le) (rate(http_server_request_duration_seconds_bucket{` + http + `}` + per + `)))`, "50 %"},
				{`histogram_quantile(0.9, sum by (le) (rate(http_server_request_duration_seconds_bucket{` + http + `}` + per + `)))`, "90 %"},
				{`histogram_quantile(0.99, sum by (le) (rate(http_server_request_duration_seconds_bucket{` + http + `}` + per + `)))`, "99 %"}}},
		{title: "Durations", unit: "s", kind: heatmap, about: "Two bands are normal: hits below a millisecond, and what the upstreams take.",
			queries: [][2]string{{`sum by (le) (increase(http_server_request_duration_seconds_bucket{` + http + `}` + per + `))`, "{{le}}"}}},
		{title: "99th percentile by route", unit: "s", kind: lines, about: "Which route is slow.",
			queries: [][2]string{{`histogram_quantile(0.99, sum by (http_route, le) (rate(http_server_request_duration_seconds_bucket{` + http + `}` + per + `)))`, "{{http_route}}"}}},
		{title: "Responses by class", unit: "reqps", kind: areas, about: "By the first digit of the status code.",
			queries: [][2]string{{`sum by (status) (rate(` + answers + `))`, "{{status}}"}}},
		{title: "Errors by route", unit: "percentunit", kind: lines, about: "The share of 5xx.",
			queries: [][2]string{{`sum by (route) (rate(` + failed + `)) / sum by (route) (rate(` + answers + `))`, "{{route}}"}}},
	}},
	{"Upstreams", []panel{
		{title: "Servers that take requests", unit: "short", kind: lines, about: "1 while a node sends requests to the server, 0 while it has set it aside; the lowest of all nodes.",
			queries: [][2]string{{`min by (upstream, server) (veneer_upstream_healthy{` + of + `})`, "{{upstream}} {{server}}"}}},
		{title: "Requests to upstreams", unit: "reqps", kind: areas, about: "By upstream: fetches, validations and what passes through.",
			queries: [][2]string{{`sum by (upstream) (rate(http_client_request_duration_seconds_count{` + of + `}` + per + `))`, "{{upstream}}"}}},
		{title: "99th percentile by upstream", unit: "s", kind: lines, about: "Until the head of the response.",
			queries: [][2]string{{`histogram_quantile(0.99, sum by (upstream, le) (rate(http_client_request_duration_seconds_bucket{` + of + `}` + per + `)))`, "{{upstream}}"}}},
	}},
	{"CORS", []panel{
		{title: "Decisions", unit: "reqps", kind: areas, about: "Requests without an Origin are left out.",
			queries: [][2]string{{`sum by (decision) (rate(` + decided + `))`, "{{decision}}"}}},
		{title: "Refused, by route", unit: "percentunit", kind: lines, about: "The share of cross-origin requests and preflights that a policy refuses. debug: true in a policy says in the log why.",
			queries: [][2]string{{`sum by (route) (rate(` + refused + `)) / sum by (route) (rate(` + decided + `))`, "{{route}}"}}},
		{title: "A second CORS layer", unit: "reqps", kind: lines, about: "Responses from which CORS fields were stripped: the upstream has a CORS layer of its own, which can be taken out.",
			queries: [][2]string{{`sum by (upstream) (rate(veneer_cors_stripped_total{` + of + `}` + per + `))`, "{{upstream}}"}}},
		{title: "What a shadow policy would change", unit: "reqps", kind: lines, about: "Requests that the policy under shadow would have answered otherwise. Put it in force when this is what you expect.",
			queries: [][2]string{{`sum by (route, difference) (rate(veneer_cors_shadow_total{` + route + `}` + per + `))`, "{{route}} {{difference}}"}}},
	}},
	{"Nodes", []panel{
		{title: "Processor", unit: "short", kind: lines, about: "Cores in use, by node.",
			queries: [][2]string{{`sum by (instance) (rate(process_cpu_seconds_total{` + of + `}` + per + `))`, "{{instance}}"}}},
		{title: "Memory", unit: "bytes", kind: lines, about: "Resident, and GOMEMLIMIT, near which the collector works harder.",
			queries: [][2]string{
				{`max by (instance) (process_resident_memory_bytes{` + of + `})`, "{{instance}}"},
				{`max by (instance) (go_gc_gomemlimit_bytes{` + of + `}) < 1e15`, "{{instance}} GOMEMLIMIT"}}},
		{title: "File descriptors", unit: "percentunit", kind: lines, about: "Of those that the process may have. server.limits.connections needs twice its number.",
			queries: [][2]string{{`max by (instance) (process_open_fds{` + of + `} / process_max_fds{` + of + `})`, "{{instance}}"}}},
		{title: "Network", unit: "Bps", kind: lines, about: "What a node's machine, or container, sends.",
			queries: [][2]string{{`sum by (instance) (rate(process_network_transmit_bytes_total{` + of + `}` + per + `))`, "{{instance}}"}}},
		{title: "Reloads", unit: "short", kind: lines, about: "By result, in the last hour. A failed one keeps the configuration before.",
			queries: [][2]string{{`sum by (instance, result) (increase(veneer_config_reloads_total{` + of + `}[1h]))`, "{{instance}} {{result}}"}}},
		{title: "Age of the configuration", unit: "s", kind: lines, about: "Nodes of one tier should have taken the same file at the same time.",
			queries: [][2]string{{`time() - max by (instance) (veneer_config_loaded_timestamp_seconds{` + of + `})`, "{{instance}}"}}},
		{title: "Telemetry that is lost", unit: "ops", kind: lines, about: "What the collector or the reader of the access log was too slow for. Requests are not held back by it.",
			queries: [][2]string{
				{`sum by (instance, signal) (rate(veneer_telemetry_dropped_total{` + of + `}` + per + `))`, "{{instance}} {{signal}}"},
				{`sum by (instance) (rate(veneer_access_log_dropped_total{` + of + `}` + per + `))`, "{{instance}} access log"}}},
		{title: "Goroutines", unit: "short", kind: lines, about: "About two a busy connection. Steady growth at steady load is a fault to report.",
			queries: [][2]string{{`max by (instance) (go_goroutines{` + of + `})`, "{{instance}}"}}},
	}},
}
