package deploy

import (
	"debug/elf"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The steps of the image's build, run by hand in a clean folder, make a static
// program that works. No container engine is needed, so none is tried.
func TestDockerfile(t *testing.T) {
	steps := dockerfile(t, "Dockerfile")
	b := &imageBuild{t: t, root: t.TempDir(), ignored: dockerignore(t), args: map[string]string{"VERSION": "v1.2.3-test"}}
	for _, s := range steps {
		b.step(s)
	}
	if b.stage != 2 || b.program == "" {
		t.Fatalf("%d stages, the program at %q: the build has two and copies one program", b.stage, b.program)
	}

	out, err := output(t, exec.Command(b.program, "version"))
	if err != nil || !strings.HasPrefix(out, "veneer v1.2.3-test go1") {
		t.Errorf("version: %v\n%s", err, out)
	}
	if out, err := output(t, exec.Command(b.program, "check", "veneer.yaml")); err != nil {
		t.Errorf("check: %v\n%s", err, out)
	}
	static(t, b.program)
	runsAlone(t, b.program)

	const most = 48 << 20
	info, err := os.Stat(b.program)
	if err != nil || info.Size() > most {
		t.Errorf("the program takes %d bytes (%v), want at most %d", info.Size(), err, most)
	}
	t.Logf("the program takes %.1f MiB", float64(info.Size())/(1<<20))
	b.want(map[string]string{
		"USER":       "65532:65532",
		"STOPSIGNAL": "SIGTERM",
		"ENTRYPOINT": `["/usr/bin/veneer"]`,
	})
	if base := b.last["FROM"]; !strings.HasPrefix(base, "gcr.io/distroless/static-debian12:") {
		t.Errorf("the image stands on %s, which may hold more than the program needs", base)
	}
	b.commands(t)
}

// The builder has the Go that go.mod asks for.
func TestDockerfileGo(t *testing.T) {
	for line := range strings.Lines(read(t, "../go.mod")) {
		if version, found := strings.CutPrefix(line, "go "); found {
			want := "golang:" + strings.TrimSpace(version) + "-"
			if !strings.Contains(read(t, "Dockerfile"), want) {
				t.Errorf("the Dockerfile has no %s", want)
			}
			return
		}
	}
	t.Error("go.mod has no go line")
}

// static holds that the program asks for no loader and no library, so that it
// runs on an image that has neither.
func static(t *testing.T, program string) {
	t.Helper()
	f, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("the program is not static: it has a %s", p.Type)
		}
	}
}

// instruction is one line of a Dockerfile, continuations joined.
type instruction struct {
	word  string
	flags []string
	rest  string
}

// dockerfile reads the part of the language that ours uses.
func dockerfile(t *testing.T, file string) []instruction {
	t.Helper()
	var list []instruction
	var pending string
	for line := range strings.Lines(read(t, file)) {
		line = strings.TrimSpace(line)
		if pending == "" && (line == "" || line[0] == '#') {
			continue
		}
		if more, found := strings.CutSuffix(line, `\`); found {
			pending += more
			continue
		}
		word, rest, _ := strings.Cut(pending+line, " ")
		pending = ""
		in := instruction{word: word, rest: strings.TrimSpace(rest)}
		for strings.HasPrefix(in.rest, "--") {
			var flag string
			flag, in.rest, _ = strings.Cut(in.rest, " ")
			in.flags, in.rest = append(in.flags, flag), strings.TrimSpace(in.rest)
		}
		list = append(list, in)
	}
	return list
}

// imageBuild runs instructions, with a folder in the place of the image's root.
type imageBuild struct {
	t       *testing.T
	root    string
	dir     string // the WORKDIR, from root
	ignored func(path string) bool
	args    map[string]string
	stage   int
	last    map[string]string // of the last stage: instruction → its text
	program string
}

func (b *imageBuild) step(in instruction) {
	b.t.Helper()
	if b.last != nil {
		b.last[in.word] = in.rest
	}
	switch in.word {
	case "FROM":
		b.stage++
		b.last = map[string]string{"FROM": in.rest}
	case "WORKDIR":
		b.dir = in.rest
		b.must(os.MkdirAll(filepath.Join(b.root, b.dir), 0o755))
	case "ARG":
		name, value, _ := strings.Cut(in.rest, "=")
		if _, given := b.args[name]; !given {
			b.args[name] = value
		}
	case "COPY":
		b.copy(in)
	case "RUN":
		b.run(in.rest)
	case "USER", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD":
	default:
		b.t.Fatalf("%s: this test knows no such instruction, so it would prove nothing of it", in.word)
	}
}

func (b *imageBuild) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// run runs a command of the build. Only /out is outside the WORKDIR.
func (b *imageBuild) run(command string) {
	b.t.Helper()
	cmd := exec.Command("sh", "-ec", strings.ReplaceAll(command, " /out/", " "+b.root+"/out/"))
	cmd.Dir, cmd.Env = filepath.Join(b.root, b.dir), os.Environ()
	for name, value := range b.args {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	if out, err := output(b.t, cmd); err != nil {
		b.t.Fatalf("RUN %s: %v\n%s", command, err, out)
	}
}

func (b *imageBuild) copy(in instruction) {
	b.t.Helper()
	words := strings.Fields(in.rest)
	sources, to := words[:len(words)-1], words[len(words)-1]
	if slices.Contains(in.flags, "--from=build") {
		b.program = filepath.Join(b.root, sources[0])
		return
	}
	if len(in.flags) > 0 || !strings.HasPrefix(to, ".") {
		b.t.Fatalf("COPY %s: this test copies into the WORKDIR only", in.rest)
	}
	for _, from := range sources {
		b.must(filepath.WalkDir(filepath.Join("..", from), func(file string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			name := path.Clean(strings.TrimPrefix(filepath.ToSlash(file), "../"))
			switch {
			case name != "." && name != ".." && b.ignored(name):
				if d.IsDir() {
					return filepath.SkipDir
				}
				return nil
			case d.IsDir() || !d.Type().IsRegular():
				return nil
			}
			return b.put(file, filepath.Join(b.root, b.dir, name))
		}))
	}
}

func (b *imageBuild) put(from, to string) error {
	src, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, src, 0o644)
}

// want compares instructions of the last stage.
func (b *imageBuild) want(want map[string]string) {
	b.t.Helper()
	for word, text := range want {
		if b.last[word] != text {
			b.t.Errorf("%s %s, want %s", word, b.last[word], text)
		}
	}
}

// commands holds that the program knows the verbs and flags that the image
// starts it with: --help after them is refused where one is unknown.
func (b *imageBuild) commands(t *testing.T) {
	t.Helper()
	_, health, _ := strings.Cut(b.last["HEALTHCHECK"], "CMD ")
	for _, text := range []string{b.last["CMD"], health} {
		var args []string
		if err := json.Unmarshal([]byte(text), &args); err != nil {
			t.Errorf("%q is no list in JSON, so it would need a shell: %v", text, err)
			continue
		}
		known(t, b.program, strings.TrimPrefix(strings.Join(args, " "), "/usr/bin/veneer "))
	}
}

// known fails when the program does not know the verb or a flag of a command
// line.
func known(t *testing.T, program, line string) {
	t.Helper()
	if out, err := output(t, exec.Command(program, append(strings.Fields(line), "--help")...)); err != nil {
		t.Errorf("veneer %s: %v\n%s", line, err, out)
	}
}

// dockerignore returns what of the repository the build does not see.
func dockerignore(t *testing.T) func(string) bool {
	t.Helper()
	var whole, base []string
	for line := range strings.Lines(read(t, "Dockerfile.dockerignore")) {
		line = strings.TrimSpace(line)
		everywhere, found := strings.CutPrefix(line, "**/")
		switch {
		case line == "" || line[0] == '#':
		case found:
			base = append(base, everywhere)
		case strings.ContainsAny(line, "*?![]\\/"):
			t.Fatalf("%s: this test knows no such pattern", line)
		default:
			whole = append(whole, line)
		}
	}
	return func(name string) bool {
		for _, pattern := range base {
			if ok, err := path.Match(pattern, path.Base(name)); ok || err != nil {
				return true
			}
		}
		return slices.Contains(whole, name)
	}
}
