package checks

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"sigs.k8s.io/yaml"
)

// compose reads the compose file as docker compose does, schema included.
func compose(t *testing.T, environment map[string]string) *types.Project {
	t.Helper()
	dir, err := filepath.Abs("../compose")
	if err != nil {
		t.Fatal(err)
	}
	project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir:  dir,
		ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(dir, "compose.yaml")}},
		Environment: environment,
	})
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func TestCompose(t *testing.T) {
	project := compose(t, map[string]string{"UPSTREAM": "http://shop:3000", "VENEER_TAG": "v1"})
	names := project.ServiceNames()
	slices.Sort(names)
	if want := "balancer grafana otel-collector prometheus veneer-a veneer-b"; strings.Join(names, " ") != want {
		t.Fatalf("services %v, want %s", names, want)
	}
	for name, s := range project.Services {
		pinned := regexp.MustCompile(`^[a-z0-9./-]+:v?[0-9]`).MatchString(s.Image)
		if !pinned {
			t.Errorf("%s runs whatever %s is today", name, s.Image)
		}
		if !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") || s.Privileged {
			t.Errorf("%s has capabilities, or may gain them", name)
		}
		if !s.ReadOnly && name != "grafana" { // Grafana unpacks plugins
			t.Errorf("%s may write to its image", name)
		}
		for _, p := range s.Ports {
			if p.HostIP != "127.0.0.1" {
				t.Errorf("%s: port %s is open to other machines", name, p.Published)
			}
		}
		for _, v := range s.Volumes {
			if _, err := os.Stat(v.Source); v.Type == types.VolumeTypeBind && err != nil {
				t.Errorf("%s mounts what is not there: %v", name, err)
			}
		}
	}
	for _, name := range []string{"veneer-a", "veneer-b"} {
		composeNode(t, project.Services[name])
	}
	if got := *project.Services["veneer-a"].Environment["UPSTREAM"]; got != "http://shop:3000" {
		t.Errorf("UPSTREAM is %s", got)
	}
	balanced(t, project)
}

// composeNode holds of a node what Kubernetes' nodes are held to, too.
func composeNode(t *testing.T, s types.ServiceConfig) {
	t.Helper()
	store, limit := number(t, *s.Environment["VENEER_STORE"], `^(\d+)MiB$`), number(t, *s.Environment["GOMEMLIMIT"], `^(\d+)MiB$`)
	if want := store*3/2 + 512; limit != want || int64(s.MemLimit)>>20 < limit+128 {
		t.Errorf("%s: GOMEMLIMIT is %d MiB, want %d; the container may have %d", s.Name, limit, want, int64(s.MemLimit)>>20)
	}
	image, err := os.ReadFile("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	drain := number(t, string(image), `"--drain-delay", "(\d+)s"`) + number(t, string(image), `"--drain-timeout", "(\d+)s"`)
	if grace := int64(time.Duration(*s.StopGracePeriod).Seconds()); grace <= drain {
		t.Errorf("%s is killed after %d s, and may take %d s to drain", s.Name, grace, drain)
	}
	if s.User != "65532:65532" || s.Ulimits["nofile"].Single < 20000 || len(s.Ports) > 0 {
		t.Errorf("%s: user %s, %d file descriptors, ports %v", s.Name, s.User, s.Ulimits["nofile"].Single, s.Ports)
	}
	if !isRoot(s.Build.Context) {
		t.Errorf("%s is built from %s, which is not the top of the repository", s.Name, s.Build.Context)
	}
}

// isRoot tells whether dir is the top of the repository.
func isRoot(dir string) bool {
	src, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	return err == nil && strings.HasPrefix(string(src), "module veneer\n")
}

// balanced holds that the balancer and Prometheus know the nodes by the names
// that they have.
func balanced(t *testing.T, project *types.Project) {
	t.Helper()
	env := project.Services["balancer"].Environment
	targets, err := os.ReadFile("../prometheus/targets/compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for variable, node := range map[string]string{"NODE_A": "veneer-a", "NODE_B": "veneer-b"} {
		if *env[variable] != node+":8080" || *env[variable+"_PORT"] != "9090" {
			t.Errorf("%s is %s, checked at %s", variable, *env[variable], *env[variable+"_PORT"])
		}
		if !strings.Contains(string(targets), `"`+node+`:9090"`) {
			t.Errorf("Prometheus does not scrape %s:\n%s", node, targets)
		}
	}
}

// The collector's pipelines are made of what its file configures. That a collector
// takes the file is held by the module deploy/collector.
func TestCollector(t *testing.T) {
	src, err := os.ReadFile("../compose/otel-collector.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Receivers, Processors, Exporters, Extensions map[string]any
		Service                                      struct {
			Extensions []string
			Pipelines  map[string]struct{ Receivers, Processors, Exporters []string }
		}
	}
	if err := yaml.UnmarshalStrict(src, &c); err != nil {
		t.Fatal(err)
	}
	known := func(where string, names []string, have map[string]any) {
		for _, n := range names {
			if _, found := have[n]; !found {
				t.Errorf("%s uses %s, which is not configured", where, n)
			}
		}
	}
	known("service", c.Service.Extensions, c.Extensions)
	for _, signal := range []string{"traces", "metrics", "logs"} {
		p := c.Service.Pipelines[signal]
		known(signal, p.Receivers, c.Receivers)
		known(signal, p.Processors, c.Processors)
		known(signal, p.Exporters, c.Exporters)
		if len(p.Receivers) == 0 || len(p.Exporters) == 0 || p.Processors[0] != "memory_limiter" {
			t.Errorf("%s: %+v: nothing comes in or goes out, or memory has no limit first", signal, p)
		}
	}
}
