package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Every sample is good without so much as a warning, and explain says of it
// what its comments say.
func TestSamples(t *testing.T) {
	program := veneer(t)
	for _, path := range files(t, "samples/*.yaml") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			if out, err := output(t, exec.Command(program, "check", path)); err != nil || out != path+": good\n" {
				t.Errorf("check: %v\n%s", err, out)
			}
			src := read(t, path)
			claims := claimsOf(src)
			if len(claims) == 0 {
				t.Error("its comments claim nothing that can be run: add # $ veneer explain ... and # > TEXT")
			}
			for _, c := range claims {
				c.hold(t, program)
			}
			for _, script := range scripts(src) {
				if _, err := os.Stat(filepath.Join("..", script)); err != nil {
					t.Errorf("a script that it names is not there: %v", err)
				}
			}
		})
	}
}

// Every system of the table in package corslayer has its sample, under the
// name of its script. Those left out are no system that one comes from.
func TestSampleOfEverySystem(t *testing.T) {
	none := map[string]string{
		"always_on_errors": "every policy does it", "double_headers": "every policy does it",
		"checklist": "veneer doctor asks it", "mistakes": "veneer check refuses them",
		"node_subdomains": "in node-allowlist",
	}
	for _, path := range files(t, "../cmd/veneer/testdata/script/seed_*.txtar") {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "seed_"), ".txtar")
		if none[name] != "" {
			continue
		}
		sample := filepath.Join("samples", strings.ReplaceAll(name, "_", "-")+".yaml")
		if _, err := os.Stat(sample); err != nil {
			t.Errorf("%s has no sample: %v", path, err)
		} else if !strings.Contains(read(t, sample), filepath.Base(path)) {
			t.Errorf("%s does not name the script %s", sample, filepath.Base(path))
		}
	}
}

// claim is a command in a sample's comments, with what its output has to hold.
type claim struct {
	command   string
	has, lack []string
}

// claimsOf reads the lines "# $ COMMAND", "# > TEXT" and "# ! TEXT".
func claimsOf(src string) []claim {
	var claims []claim
	for line := range strings.Lines(src) {
		comment, found := strings.CutPrefix(line, "#   ")
		kind, text, _ := strings.Cut(strings.TrimSpace(comment), " ")
		switch {
		case !found:
		case kind == "$":
			claims = append(claims, claim{command: text})
		case kind == ">" && len(claims) > 0:
			claims[len(claims)-1].has = append(claims[len(claims)-1].has, text)
		case kind == "!" && len(claims) > 0:
			claims[len(claims)-1].lack = append(claims[len(claims)-1].lack, text)
		}
	}
	return claims
}

// hold runs the command where a reader would, at the top of the repository.
func (c claim) hold(t *testing.T, program string) {
	t.Helper()
	cmd := exec.Command("sh", "-c", strings.Replace(c.command, "veneer ", `"$VENEER" `, 1))
	cmd.Dir, cmd.Env = "..", append(os.Environ(), "VENEER="+program)
	out, _ := output(t, cmd) // explain exits 1 where Veneer answers with an error
	text := strings.Join(strings.Fields(out), " ")
	if len(c.has)+len(c.lack) == 0 {
		t.Errorf("%s: nothing is claimed of it", c.command)
	}
	for _, want := range c.has {
		if !strings.Contains(text, strings.Join(strings.Fields(want), " ")) {
			t.Errorf("%s\ndoes not say %q:\n%s", c.command, want, out)
		}
	}
	for _, bad := range c.lack {
		if strings.Contains(text, bad) || !strings.Contains(text, "Outcome") {
			t.Errorf("%s\nsays %q:\n%s", c.command, bad, out)
		}
	}
}

// scripts returns the end-to-end scripts that a text names.
func scripts(src string) []string {
	var names []string
	for _, word := range strings.Fields(src) {
		word = strings.TrimRight(word, ".,")
		if strings.HasPrefix(word, "cmd/veneer/testdata/") {
			names = append(names, word)
		}
	}
	return names
}
