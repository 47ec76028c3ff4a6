package checks

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// objects are what a tool made, by kind.
type objects struct {
	namespaces      []*core.Namespace
	accounts        []*core.ServiceAccount
	configMaps      []*core.ConfigMap
	secrets         []*core.Secret
	services        []*core.Service
	deployments     []*apps.Deployment
	budgets         []*policy.PodDisruptionBudget
	autoscalers     []*autoscaling.HorizontalPodAutoscaler
	networkPolicies []*networking.NetworkPolicy
	serviceMonitors []*monitoring.ServiceMonitor
	rules           []*monitoring.PrometheusRule
}

// add decodes one document into the type that its kind has, and fails on a
// field that the type lacks, a doubled one, and a kind that is not known here.
func (o *objects) add(document []byte) error {
	var head meta.TypeMeta
	if err := yaml.Unmarshal(document, &head); err != nil {
		return err
	}
	switch kind := head.APIVersion + " " + head.Kind; kind {
	case "v1 Namespace":
		return put(&o.namespaces, document)
	case "v1 ServiceAccount":
		return put(&o.accounts, document)
	case "v1 ConfigMap":
		return put(&o.configMaps, document)
	case "v1 Secret":
		return put(&o.secrets, document)
	case "v1 Service":
		return put(&o.services, document)
	case "apps/v1 Deployment":
		return put(&o.deployments, document)
	case "policy/v1 PodDisruptionBudget":
		return put(&o.budgets, document)
	case "autoscaling/v2 HorizontalPodAutoscaler":
		return put(&o.autoscalers, document)
	case "networking.k8s.io/v1 NetworkPolicy":
		return put(&o.networkPolicies, document)
	case "monitoring.coreos.com/v1 ServiceMonitor":
		return put(&o.serviceMonitors, document)
	case "monitoring.coreos.com/v1 PrometheusRule":
		return put(&o.rules, document)
	default:
		return fmt.Errorf("no type is known for %q", kind)
	}
}

func put[T any](list *[]*T, document []byte) error {
	// By way of JSON, for only Kubernetes' own reader of it minds the case of a
	// field's name, as an API server does.
	src, err := yaml.YAMLToJSONStrict(document)
	if err != nil {
		return err
	}
	object := new(T)
	strict, err := json.UnmarshalStrict(src, object)
	if err := errors.Join(append(strict, err)...); err != nil {
		return fmt.Errorf("%w in\n%s", err, document)
	}
	*list = append(*list, object)
	return nil
}

var separator = regexp.MustCompile(`(?m)^---$`)

// decode reads the documents of a stream.
func decode(t *testing.T, stream []byte, into *objects) {
	t.Helper()
	for _, document := range separator.Split(string(stream), -1) {
		if empty(document) {
			continue
		}
		if err := into.add([]byte(document)); err != nil {
			t.Error(err)
		}
	}
}

// empty tells whether a document has nothing but comments.
func empty(document string) bool {
	for line := range bytes.Lines([]byte(document)) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return false
		}
	}
	return true
}

// The strict decoder is one: what it is trusted with, it finds.
func TestDecoderIsStrict(t *testing.T) {
	for name, document := range map[string]string{
		"unknown field": "apiVersion: v1\nkind: Service\nspec: { port: [] }\n",
		"wrong case":    "apiVersion: v1\nkind: Service\nspec: { Ports: [] }\n",
		"wrong type":    "apiVersion: v1\nkind: Service\nspec: { ports: [{ port: eighty }] }\n",
		"doubled":       "apiVersion: v1\nkind: Service\nspec: { type: A, type: B }\n",
		"unknown kind":  "apiVersion: v1\nkind: Servce\n",
		"old version":   "apiVersion: autoscaling/v1\nkind: HorizontalPodAutoscaler\n",
	} {
		if err := new(objects).add([]byte(document)); err == nil {
			t.Errorf("%s: no error for\n%s", name, document)
		}
	}
}
