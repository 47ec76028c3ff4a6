// Package deploy has no code: its tests hold that what this folder ships is
// true. They check and explain every sample configuration, build the image's
// program as the Dockerfile does, hold alert rules and dashboard against the
// metrics that the built program exposes, and run the commands of README.md.
//
// What needs Kubernetes' own types is in the module deploy/checks, and what runs
// an OpenTelemetry collector in deploy/collector, so that whoever builds or tests
// Veneer does not fetch them.
package deploy
