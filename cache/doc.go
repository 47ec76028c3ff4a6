// Package cache is the engine: the eight steps of a request's life, in order,
// one file a step.
//
//	route → preflight → key → lookup → reuse → fill → deliver → record
//
// It is a staged exchange, not a chain of middleware. The upstream's response
// is a value, stored bare; what belongs to one client (CORS fields, Age,
// Cache-Status, conditional and range answers) is put on in deliver, after the
// lookup. Only preflight and deliver touch the ResponseWriter.
//
// The package knows neither CORS nor upstreams: it owns the small interfaces
// (CORS, Store, http.RoundTripper) through which cmd joins them.
package cache
