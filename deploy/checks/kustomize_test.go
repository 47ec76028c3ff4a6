package checks

import (
	"os"
	"reflect"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// build is kubectl kustomize DIR.
func build(t *testing.T, dir string) *objects {
	t.Helper()
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := made.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	o := new(objects)
	decode(t, stream, o)
	return o
}

func TestKustomize(t *testing.T) {
	base := build(t, "../kubernetes/base")
	base.hold(t)
	production := build(t, "../kubernetes/overlays/production")
	production.hold(t)
	if len(production.deployments) != 2 || len(production.serviceMonitors) != 1 || len(production.namespaces) != 1 {
		t.Errorf("%d deployments, %d monitors, %d namespaces: a component is lost", len(production.deployments), len(production.serviceMonitors), len(production.namespaces))
	}
	if image := production.node(t).Spec.Template.Spec.Containers[0].Image; image != "registry.example.com/veneer:v0.0.0" {
		t.Errorf("the overlay's image is %s", image)
	}
	sameRules(t, production.rules[0])
	// A changed file must not start new pods, with empty stores.
	for _, m := range production.configMaps {
		if m.Data["veneer.yaml"] != "" && m.Name != "veneer" {
			t.Errorf("the configuration is in %s, whose name changes with it", m.Name)
		}
	}
}

// sameRules holds that the operator gets the alerts that have unit tests.
func sameRules(t *testing.T, rule *monitoring.PrometheusRule) {
	t.Helper()
	src, err := os.ReadFile("../prometheus/veneer.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	var want monitoring.PrometheusRuleSpec
	if err := yaml.UnmarshalStrict(src, &want); err != nil {
		t.Fatal(err)
	}
	if len(want.Groups) == 0 || !reflect.DeepEqual(rule.Spec, want) {
		t.Errorf("the PrometheusRule %s is not deploy/prometheus/veneer.rules.yml: write it anew from there", rule.Name)
	}
}

// The balancers of Kubernetes and of compose treat a request alike.
func TestBalancersAgree(t *testing.T) {
	lines := func(path string) map[string]bool {
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, backend, _ := strings.Cut(string(src), "\nbackend veneer\n")
		set := map[string]bool{}
		for line := range strings.Lines(backend) {
			line = strings.TrimSpace(line)
			for _, word := range []string{"balance", "hash-", "option", "retr", "http-check"} {
				if strings.HasPrefix(line, word) {
					set[line] = true
				}
			}
		}
		return set
	}
	compose, kubernetes := lines("../compose/haproxy.cfg"), lines("../kubernetes/components/balancer/haproxy.cfg")
	if len(compose) < 6 || !reflect.DeepEqual(compose, kubernetes) {
		t.Errorf("compose has %v,\nkubernetes has %v", compose, kubernetes)
	}
}
