package checks

import (
	"bytes"
	"os"
	"path"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
)

const chartDir = "../helm/veneer"

// site is the least that a user has to give.
const site = `
config:
  upstreams: { app: { servers: "http://app:3000" } }
  routes: [{ match: { path: / }, upstream: app, cors: pass }]
`

// render is helm template.
func render(t *testing.T, values string) (map[string]string, error) {
	t.Helper()
	c, err := loader.Load(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	given, err := chartutil.ReadValues([]byte(values))
	if err != nil {
		t.Fatal(err)
	}
	all, err := chartutil.ToRenderValues(c, given, chartutil.ReleaseOptions{Name: "tier", Namespace: "shop", IsInstall: true}, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err // the schema has spoken
	}
	return engine.Render(c, all)
}

func rendered(t *testing.T, values string) *objects {
	t.Helper()
	files, err := render(t, values)
	if err != nil {
		t.Fatal(err)
	}
	o := new(objects)
	for name, text := range files {
		if path.Ext(name) == ".yaml" {
			decode(t, []byte(text), o)
		}
	}
	return o
}

func TestHelm(t *testing.T) {
	for _, c := range []struct {
		name, values string
		also         func(t *testing.T, o *objects)
	}{
		{"least", site, func(t *testing.T, o *objects) {
			if len(o.secrets) != 1 || len(o.secrets[0].Data["token"]) < 32 {
				t.Errorf("%d secrets: no token is made", len(o.secrets))
			}
			if image := o.node(t).Spec.Template.Spec.Containers[0].Image; image != "registry.example.com/veneer:0.0.0" {
				t.Errorf("image %s", image)
			}
		}},
		{"all of it", strings.Replace(site, "cors: pass", "cors: app", 1) + `
  cors: { app: { origins: ["https://*.example.com"], credentials: true } }
  telemetry: { traces: { endpoint: "http://collector:4318", sample: 0.01 } }
storeMiB: 4096
image: { repository: veneer, digest: "sha256:` + strings.Repeat("0a", 32) + `" }
imagePullSecrets: [{ name: registry }]
monitoring: { enabled: true, labels: { release: prometheus } }
service: { type: LoadBalancer, port: 8080, annotations: { a.example/b: "c" } }
podAnnotations: { a: b }
nodeSelector: { kubernetes.io/arch: amd64 }
tolerations: [{ key: cache, operator: Exists }]
extraEnv: [{ name: API_TOKEN, valueFrom: { secretKeyRef: { name: api, key: token } } }]
`, func(t *testing.T, o *objects) {
			if image := o.node(t).Spec.Template.Spec.Containers[0].Image; !strings.HasPrefix(image, "veneer@sha256:0a") {
				t.Errorf("image %s", image)
			}
			if len(o.rules) != 1 || len(o.serviceMonitors) != 1 || o.serviceMonitors[0].Labels["release"] != "prometheus" {
				t.Fatal("monitoring is not what was asked for")
			}
			sameRules(t, o.rules[0])
		}},
		{"a secret of one's own, no autoscaler, no policy", site + `
admin: { existingSecret: veneer-admin }
autoscaling: { enabled: false }
replicas: 3
networkPolicy: { enabled: false }
`, func(t *testing.T, o *objects) {
			if len(o.secrets)+len(o.autoscalers)+len(o.networkPolicies) != 0 || *o.node(t).Spec.Replicas != 3 {
				t.Errorf("%d secrets, %d autoscalers, %d policies, %d replicas", len(o.secrets), len(o.autoscalers), len(o.networkPolicies), *o.node(t).Spec.Replicas)
			}
		}},
		{"slow to drain", site + "drain: { delay: 15, timeout: 120 }\n", func(*testing.T, *objects) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := rendered(t, c.values)
			o.hold(t)
			c.also(t, o)
		})
	}
}

// What cannot work is refused before it reaches a cluster, with words.
func TestHelmRefuses(t *testing.T) {
	for values, want := range map[string]string{
		"{}":                                    "config.upstreams and config.routes have to be given",
		site + "storeMiB: 512MiB\n":             "storeMiB",
		site + "store: 512\n":                   "store",
		site + "drain: { delay: -1 }\n":         "delay",
		site + "  admin: { address: \":1\" }\n": "config",
		site + "image: { digest: sha256:1 }\n":  "digest",
		site + "replicas: 0\n":                  "replicas",
	} {
		if _, err := render(t, values); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\nis taken, or refused without %q: %v", values, want, err)
		}
	}
}

func TestHelmLint(t *testing.T) {
	given, err := chartutil.ReadValues([]byte(site))
	if err != nil {
		t.Fatal(err)
	}
	result := lint.All(chartDir, given, "shop", true)
	for _, m := range result.Messages {
		if m.Severity >= support.WarningSev {
			t.Errorf("%s", m)
		}
	}
}

// The rules are in the chart's folder because a chart cannot reach out of it.
func TestHelmRulesFile(t *testing.T) {
	got, err := os.ReadFile(chartDir + "/files/veneer.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("../prometheus/veneer.rules.yml")
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("files/veneer.rules.yml is no copy of deploy/prometheus/veneer.rules.yml (%v): cp it", err)
	}
}

// The notes that helm install prints name services that are there.
func TestHelmNotes(t *testing.T) {
	files, err := render(t, site)
	if err != nil {
		t.Fatal(err)
	}
	o := rendered(t, site)
	notes := files["veneer/templates/NOTES.txt"]
	for _, s := range o.services {
		if strings.HasSuffix(s.Name, "-admin") {
			continue
		}
		if !strings.Contains(notes, s.Name) {
			t.Errorf("the notes do not name %s:\n%s", s.Name, notes)
		}
	}
}
