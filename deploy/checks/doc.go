// Package checks has no code: its tests build the Kubernetes manifests with
// kustomize, render the chart with Helm and read the compose file with
// compose-go, all as libraries, decode every object strictly into Kubernetes'
// own types, and hold what no schema does: selectors that meet, memory that adds
// up, pods that are locked down, and a configuration that veneer check calls
// good.
//
// It is a module of its own, so that the 70 modules it needs are in nobody's
// way who builds or tests Veneer. No cluster and no container engine is asked.
package checks
