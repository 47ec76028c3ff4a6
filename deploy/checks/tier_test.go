package checks

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// hold holds of a set of objects what makes them a tier.
func (o *objects) hold(t *testing.T) {
	t.Helper()
	if len(o.deployments) == 0 || len(o.services) < 3 || len(o.budgets) == 0 || len(o.accounts) != 1 {
		t.Fatalf("%d deployments, %d services, %d budgets, %d accounts: some are lost", len(o.deployments), len(o.services), len(o.budgets), len(o.accounts))
	}
	for _, d := range o.deployments {
		lockedDown(t, d)
		if !selects(t, d.Spec.Selector, d.Spec.Template.Labels) {
			t.Errorf("deployment %s does not select its own pods", d.Name)
		}
		for _, c := range d.Spec.Template.Spec.TopologySpreadConstraints {
			if !selects(t, c.LabelSelector, d.Spec.Template.Labels) {
				t.Errorf("deployment %s: the spread over %s counts other pods", d.Name, c.TopologyKey)
			}
		}
		o.volumes(t, d)
	}
	o.targets(t)
	o.scaled(t)
	o.admin(t)
	node := o.node(t)
	drains(t, node)
	o.config(t, node)
}

// node returns the Deployment of Veneer itself.
func (o *objects) node(t *testing.T) *apps.Deployment {
	t.Helper()
	at := slices.IndexFunc(o.deployments, func(d *apps.Deployment) bool {
		return d.Spec.Template.Labels["app.kubernetes.io/component"] == "node"
	})
	if at < 0 {
		t.Fatal("no deployment has nodes")
	}
	return o.deployments[at]
}

func selects(t *testing.T, selector *meta.LabelSelector, set map[string]string) bool {
	t.Helper()
	s, err := meta.LabelSelectorAsSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	return !s.Empty() && s.Matches(labels.Set(set))
}

// lockedDown is Kubernetes' Pod Security Standard "restricted", and what it
// leaves out.
func lockedDown(t *testing.T, d *apps.Deployment) {
	t.Helper()
	pod := d.Spec.Template.Spec
	fail := func(format string, args ...any) {
		t.Helper()
		t.Errorf("deployment %s: %s", d.Name, fmt.Sprintf(format, args...))
	}
	sc := pod.SecurityContext
	switch {
	case pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken:
		fail("its pods get a token of the cluster")
	case pod.EnableServiceLinks == nil || *pod.EnableServiceLinks:
		fail("its pods get a variable for every service")
	case pod.HostNetwork || pod.HostPID || pod.HostIPC:
		fail("its pods share the machine's namespaces")
	case sc == nil || sc.RunAsNonRoot == nil || !*sc.RunAsNonRoot || sc.RunAsUser == nil || *sc.RunAsUser == 0:
		fail("its pods may be root")
	case sc.SeccompProfile == nil || sc.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault:
		fail("its pods may call all of the kernel")
	}
	for _, c := range pod.Containers {
		s := c.SecurityContext
		switch {
		case s == nil || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation:
			fail("%s may gain privileges", c.Name)
		case s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem:
			fail("%s may write to its image", c.Name)
		case s.Capabilities == nil || !slices.Equal(s.Capabilities.Drop, []core.Capability{"ALL"}) || len(s.Capabilities.Add) > 0:
			fail("%s has capabilities", c.Name)
		}
		if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() {
			fail("%s has no limit of memory, or asks for no processor", c.Name)
		}
		if c.ReadinessProbe == nil || c.LivenessProbe == nil {
			fail("%s lacks a probe", c.Name)
		}
		if strings.HasSuffix(c.Image, ":latest") || !strings.ContainsAny(c.Image, ":@") && c.Image != "veneer" {
			fail("%s runs whatever %s is today", c.Name, c.Image)
		}
	}
}

// volumes holds that what pods mount is there, or is the secret that README.md
// says how to make.
func (o *objects) volumes(t *testing.T, d *apps.Deployment) {
	t.Helper()
	for _, v := range d.Spec.Template.Spec.Volumes {
		switch {
		case v.ConfigMap != nil:
			if !slices.ContainsFunc(o.configMaps, func(c *core.ConfigMap) bool { return c.Name == v.ConfigMap.Name }) {
				t.Errorf("deployment %s mounts the ConfigMap %s, which is not there", d.Name, v.ConfigMap.Name)
			}
		case v.Secret != nil:
			made := slices.ContainsFunc(o.secrets, func(s *core.Secret) bool { return s.Name == v.Secret.SecretName })
			if !made && v.Secret.SecretName != "veneer-admin" {
				t.Errorf("deployment %s mounts the Secret %s, which nobody makes", d.Name, v.Secret.SecretName)
			}
		default:
			t.Errorf("deployment %s: volume %s is of no kind that is looked at", d.Name, v.Name)
		}
	}
}

// targets holds that services and budgets select pods that are there, and
// services ports that those have.
func (o *objects) targets(t *testing.T) {
	t.Helper()
	for _, s := range o.services {
		at := slices.IndexFunc(o.deployments, func(d *apps.Deployment) bool {
			return len(s.Spec.Selector) > 1 && labels.SelectorFromSet(s.Spec.Selector).Matches(labels.Set(d.Spec.Template.Labels))
		})
		if at < 0 {
			t.Errorf("service %s selects no pod", s.Name)
			continue
		}
		for _, p := range s.Spec.Ports {
			if !slices.ContainsFunc(o.deployments[at].Spec.Template.Spec.Containers[0].Ports, func(c core.ContainerPort) bool { return c.Name == p.TargetPort.StrVal }) {
				t.Errorf("service %s: pods have no port %s", s.Name, p.TargetPort.String())
			}
		}
	}
	for _, d := range o.deployments {
		n := 0
		for _, b := range o.budgets {
			if selects(t, b.Spec.Selector, d.Spec.Template.Labels) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("deployment %s has %d disruption budgets: want one, for with two no pod can be evicted", d.Name, n)
		}
	}
	for _, m := range o.serviceMonitors {
		n := 0
		for _, s := range o.services {
			if selects(t, &m.Spec.Selector, s.Labels) && s.Spec.Ports[0].Name == m.Spec.Endpoints[0].Port {
				n++
			}
		}
		if n != 1 {
			t.Errorf("the ServiceMonitor %s selects %d services, want one", m.Name, n)
		}
	}
}

// scaled holds that the autoscaler and the Deployment do not both say how many.
func (o *objects) scaled(t *testing.T) {
	t.Helper()
	node := o.node(t)
	if (len(o.autoscalers) == 1) == (node.Spec.Replicas != nil) {
		t.Errorf("%d autoscalers, and replicas %v", len(o.autoscalers), node.Spec.Replicas)
	}
	for _, h := range o.autoscalers {
		if ref := h.Spec.ScaleTargetRef; ref.Name != node.Name || ref.Kind != "Deployment" || *h.Spec.MinReplicas < 2 || h.Spec.MaxReplicas < *h.Spec.MinReplicas {
			t.Errorf("the autoscaler scales %s %s from %d to %d", ref.Kind, ref.Name, *h.Spec.MinReplicas, h.Spec.MaxReplicas)
		}
	}
}

// admin holds that a policy lets only those to the admin listener that it
// names.
func (o *objects) admin(t *testing.T) {
	t.Helper()
	for _, p := range o.networkPolicies {
		if !selects(t, &p.Spec.PodSelector, o.node(t).Spec.Template.Labels) {
			t.Errorf("the network policy %s protects no node", p.Name)
		}
		guarded := false
		for _, rule := range p.Spec.Ingress {
			if len(rule.Ports) == 0 {
				t.Errorf("the network policy %s lets somebody to all ports", p.Name)
			}
			for _, port := range rule.Ports {
				guarded = guarded || port.Port.StrVal == "admin"
				if port.Port.StrVal == "admin" && len(rule.From) == 0 {
					t.Errorf("the network policy %s lets everybody to the admin listener", p.Name)
				}
			}
		}
		if !guarded {
			t.Errorf("the network policy %s lets nobody to the admin listener", p.Name)
		}
	}
}

// drains holds that a pod is not killed while it does what it was told.
func drains(t *testing.T, node *apps.Deployment) {
	t.Helper()
	args := strings.Join(node.Spec.Template.Spec.Containers[0].Args, " ")
	delay, drain := number(t, args, `--drain-delay (\d+)s`), number(t, args, `--drain-timeout (\d+)s`)
	if grace := *node.Spec.Template.Spec.TerminationGracePeriodSeconds; grace <= delay+drain {
		t.Errorf("pods are killed after %d s, and may take %d + %d s to drain", grace, delay, drain)
	}
	if want := imageCommand(t); masked(args) != masked(want) {
		t.Errorf("pods run veneer %s, the image %s", args, want)
	}
	probe := node.Spec.Template.Spec.Containers[0].ReadinessProbe
	if notice := int64(probe.PeriodSeconds * probe.FailureThreshold); notice > delay {
		t.Errorf("it takes %d s until a pod counts as not ready, and it goes on answering for %d s", notice, delay)
	}
}

// imageCommand is what the image runs, whose words the test of the Dockerfile
// tries on the program.
func imageCommand(t *testing.T) string {
	t.Helper()
	src, err := os.ReadFile("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, list, found := strings.Cut(string(src), "\nCMD ")
	var words []string
	if err := json.Unmarshal([]byte(list), &words); err != nil || !found {
		t.Fatalf("the Dockerfile's CMD is no list: %v", err)
	}
	return strings.Join(words, " ")
}

// masked is a command line without its numbers.
func masked(line string) string { return regexp.MustCompile(`\d+`).ReplaceAllString(line, "N") }

// config holds that the configuration is good, and that the memory adds up:
// GOMEMLIMIT is 1.5 times the store and 512 MiB, and the container has more.
func (o *objects) config(t *testing.T, node *apps.Deployment) {
	t.Helper()
	c := node.Spec.Template.Spec.Containers[0]
	var config string
	for _, m := range o.configMaps {
		if text, found := m.Data["veneer.yaml"]; found {
			config = text
		}
	}
	checked(t, config)
	store := number(t, config, `memory:\s*\{?\s*size: (\d+)MiB`)
	var limit int64
	for _, e := range c.Env {
		if e.Name == "GOMEMLIMIT" {
			limit = number(t, e.Value, `^(\d+)MiB$`)
		}
	}
	if want := store*3/2 + 512; limit != want {
		t.Errorf("GOMEMLIMIT is %d MiB, want %d for a store of %d MiB", limit, want, store)
	}
	if memory := c.Resources.Limits.Memory().Value() >> 20; memory < limit+128 || memory != c.Resources.Requests.Memory().Value()>>20 {
		t.Errorf("the container may have %d MiB, and GOMEMLIMIT is %d", memory, limit)
	}
}

func number(t *testing.T, text, pattern string) int64 {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("there is no %s in\n%s", pattern, text)
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "veneer-checks")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "veneer")
	cmd := exec.Command("go", "build", "-o", path, "./cmd/veneer")
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build the program: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := program(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// checked runs veneer check on a configuration, with a token where the pod has
// its own.
func checked(t *testing.T, config string) {
	t.Helper()
	veneer, err := program()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	const mounted = "/etc/veneer-admin/token"
	if !strings.Contains(config, mounted) {
		t.Errorf("the configuration does not take the token from %s:\n%s", mounted, config)
	}
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte(strings.Repeat("0123456789abcdef", 4)), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "veneer.yaml")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(config, mounted, token)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(veneer, "check", path).CombinedOutput(); err != nil || !strings.HasSuffix(string(out), ": good\n") {
		t.Errorf("check: %v\n%s\n%s", err, out, config)
	}
}
