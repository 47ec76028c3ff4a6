package deploy

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// block is a fenced block of README.md.
type block struct {
	line   int
	lang   string
	text   string
	notRun bool     // the paragraph before it says so
	want   []string // the lines of the text block behind it
}

const notRunHere = "**Not run here:**"

// blocks reads the page's fenced blocks, those in lists too.
func blocks(page string) []block {
	var list []block
	var open *block
	indent, notRun := "", false
	for i, line := range strings.Split(page, "\n") {
		word, fenced := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case fenced && open == nil:
			indent = line[:strings.Index(line, "`")]
			open = &block{line: i + 1, lang: word, notRun: notRun}
		case fenced:
			list, open, notRun = append(list, *open), nil, false
		case open != nil:
			open.text += strings.TrimPrefix(line, indent) + "\n"
		case strings.HasPrefix(line, "#"):
			notRun = false
		case strings.HasPrefix(strings.TrimSpace(line), notRunHere):
			notRun = true
		}
	}
	return expected(list)
}

// expected gives the text blocks to the commands before them.
func expected(list []block) []block {
	var commands []block
	for _, b := range list {
		if b.lang == "text" && len(commands) > 0 {
			last := &commands[len(commands)-1]
			last.want = append(last.want, strings.Split(strings.TrimSpace(b.text), "\n")...)
			continue
		}
		commands = append(commands, b)
	}
	return commands
}

// The first hour works: every block of the page that does not say that it is
// not run here is run, in one shell and in order, as a reader would; and each
// shows what the page shows. Only ports are others.
func TestFirstHour(t *testing.T) {
	for name, pkg := range map[string]string{"bash": "bash", "curl": "curl", "haproxy": "haproxy", "prometheus": "prometheus", "promtool": "prometheus"} {
		tool(t, name, pkg)
	}
	var run []block
	for _, b := range blocks(read(t, "README.md")) {
		switch {
		case b.lang != "sh":
			t.Errorf("README.md:%d: a block in %q: a command is sh, and what it shows text", b.line, b.lang)
		case !b.notRun:
			run = append(run, b)
		}
	}
	if len(run) < 9 {
		t.Fatalf("%d blocks are run: some are lost", len(run))
	}
	script, ports := shell(t, run)
	said, err := runScript(t, script)
	parts := strings.Split(said, marker)
	for i, b := range run {
		if i+1 >= len(parts) {
			t.Fatalf("README.md:%d: the block did not end well (%v):\n%s\n%s", b.line, err, parts[i], logs(t))
		}
		shown := spaced(parts[i])
		for _, want := range b.want {
			if !strings.Contains(shown, spaced(ports.Replace(want))) {
				t.Errorf("README.md:%d does not show %q, but\n%s", b.line, want, parts[i])
			}
		}
	}
	if err != nil {
		t.Errorf("the shell: %v\n%s", err, said)
	}
}

// spaced makes texts comparable that differ in white space and case: HAProxy
// writes field names in small letters.
func spaced(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }

// marker ends the output of a block.
const marker = "=== the block has ended ===\n"

// tier is where the first hour puts its files.
func tier() string { return filepath.Join(scratch, "tier") }

// shell joins the blocks to one script, with free ports in the place of those
// of the page, and returns the replacement of ports, too.
func shell(t *testing.T, run []block) (string, *strings.Replacer) {
	t.Helper()
	var pairs []string
	for _, port := range []string{"8080", "8081", "8082", "9091", "9092", "9093"} {
		free := freeAddress(t)
		_, n, err := net.SplitHostPort(free)
		if err != nil {
			t.Fatal(err)
		}
		pairs = append(pairs, "127.0.0.1:"+port, free, "_PORT="+port, "_PORT="+n)
	}
	ports := strings.NewReplacer(pairs...)
	var script strings.Builder
	script.WriteString("set -euo pipefail\nexec 2>&1\n")
	for _, b := range run {
		fmt.Fprintf(&script, "%s\nprintf %%s '%s'\n", ports.Replace(b.text), marker)
	}
	return script.String(), ports
}

// runScript runs a script at the top of the repository, before an application.
// What it leaves behind is ended: its process group is nobody else's.
func runScript(t *testing.T, script string) (string, error) {
	t.Helper()
	up := httptest.NewServer(http.HandlerFunc(application))
	defer up.Close()
	cmd := exec.Command("bash", "-s")
	cmd.Stdin = strings.NewReader(script)
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "T="+tier(), "UPSTREAM="+up.URL)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	group := -cmd.Process.Pid
	cmd.WaitDelay = 5 * time.Second // for what of it still holds the output
	late := time.AfterFunc(2*time.Minute, func() { _ = syscall.Kill(group, syscall.SIGKILL) })
	err := cmd.Wait()
	late.Stop()
	_ = syscall.Kill(group, syscall.SIGKILL) // nobody, when all went well
	return said.String(), err
}

// application is what the page expects of one.
func application(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "max-age=60")
	if r.URL.Path == "/cookie" {
		w.Header().Set("Set-Cookie", "session=1")
	}
	fmt.Fprintln(w, "hello")
}

// logs returns what the processes of the first hour said.
func logs(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	found, _ := filepath.Glob(filepath.Join(tier(), "*.log"))
	for _, path := range found {
		fmt.Fprintf(&all, "--- %s\n%s", filepath.Base(path), read(t, path))
	}
	return all.String()
}

// The files and sections that the page links to are there.
func TestReadmeLinks(t *testing.T) {
	page := read(t, "README.md")
	anchors := anchorsOf(page)
	links := 0
	for part := range strings.SplitSeq(page, "](") {
		target, _, found := strings.Cut(part, ")")
		file, anchor, _ := strings.Cut(target, "#")
		if links++; !found || links == 1 || strings.ContainsAny(target, " \n") || strings.Contains(target, "://") {
			continue
		}
		if file == "" && !anchors[anchor] {
			t.Errorf("there is no section #%s", anchor)
		}
		if file != "" {
			if _, err := os.Stat(file); err != nil {
				t.Errorf("a link leads nowhere: %v", err)
			} else if anchor != "" && !anchorsOf(read(t, file))[anchor] {
				t.Errorf("%s has no section #%s", file, anchor)
			}
		}
	}
	if links < 10 {
		t.Errorf("%d links: some are lost", links)
	}
}
