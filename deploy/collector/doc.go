// Package collector has no code: its test runs an OpenTelemetry collector of the
// upstream project's own modules, with the configuration that deploy/compose
// gives to one, and the built veneer beside it, and holds that spans, metrics and
// logs arrive there over both protocols and lead to one another.
//
// It is a module of its own, since the collector needs 200 others. The module
// versions are newer than the image that deploy/compose names, which cannot be
// fetched everywhere.
package collector
