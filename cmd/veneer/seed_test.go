package main

import (
	"go/doc/comment"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const corsDoc = "../../corslayer/doc.go"

var scriptName = regexp.MustCompile(`seed_[a-z_]+\.txtar`)

// section is what stands under one heading of a package's documentation.
type section struct {
	heading string
	text    string
	code    []string // the preformatted blocks
}

func readSections(t *testing.T, file string) []section {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.PackageClauseOnly)
	if err != nil {
		t.Fatal(err)
	}
	list := []section{{}}
	for _, b := range new(comment.Parser).Parse(f.Doc.Text()).Content {
		last := &list[len(list)-1]
		switch b := b.(type) {
		case *comment.Heading:
			list = append(list, section{heading: plainText(b.Text)})
		case *comment.Paragraph:
			last.text += plainText(b.Text) + "\n"
		case *comment.Code:
			last.code = append(last.code, b.Text)
		}
	}
	return list
}

func plainText(list []comment.Text) string {
	var b strings.Builder
	for _, t := range list {
		switch t := t.(type) {
		case comment.Plain:
			b.WriteString(string(t))
		case comment.Italic:
			b.WriteString(string(t))
		case *comment.Link:
			b.WriteString(plainText(t.Text))
		case *comment.DocLink:
			b.WriteString(plainText(t.Text))
		}
	}
	return b.String()
}

// TestOtherSystems holds the documentation of corslayer and the scripts
// together: each section under "Coming from another system" names its script,
// its YAML is that of a configuration which the script runs, and the table
// above them has a line for every script.
func TestOtherSystems(t *testing.T) {
	sections := readSections(t, corsDoc)
	at := slices.IndexFunc(sections, func(s section) bool { return s.heading == "Coming from another system" })
	if at < 0 || len(sections[at].code) != 1 {
		t.Fatalf("%s has no section with the one table", corsDoc)
	}
	inTable := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSpace(sections[at].code[0]), "\n")[1:] {
		words := strings.Fields(line)
		inTable["seed_"+words[len(words)-1]+".txtar"] = true
	}
	inSections := map[string]bool{}
	for _, s := range sections[at+1:] {
		names := scriptName.FindAllString(s.text, -1)
		if len(names) != 1 || len(s.code) == 0 {
			t.Errorf("section %q names the scripts %q and has %d snippets: want one script, and its YAML", s.heading, names, len(s.code))
			continue
		}
		inSections[names[0]] = true
		configs := configurations(t, names[0])
		for _, code := range s.code {
			if !slices.ContainsFunc(configs, func(c string) bool { return stands(code, c) }) {
				t.Errorf("section %q: this is no part of a configuration that %s runs:\n%s", s.heading, names[0], code)
			}
		}
	}
	files, err := filepath.Glob("testdata/script/seed_*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no scripts: %v", err)
	}
	there := map[string]bool{}
	for _, f := range files {
		there[filepath.Base(f)] = true
	}
	for what, got := range map[string]map[string]bool{"table": inTable, "sections": inSections} {
		if !maps.Equal(got, there) {
			t.Errorf("the %s of %s:\n got %q\nwant %q", what, corsDoc,
				slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(there)))
		}
	}
}

// configurations returns the files of a script that the program is given.
func configurations(t *testing.T, script string) []string {
	t.Helper()
	text, err := os.ReadFile("testdata/script/" + script)
	if err != nil {
		t.Error(err)
		return nil
	}
	commands := fileName.Split(string(text), 2)[0]
	names, parts := fileName.FindAllStringSubmatch(string(text), -1), fileName.Split(string(text), -1)
	var list []string
	for i, name := range names {
		run := regexp.MustCompile(`(?m)^(background veneer serve -c|exits \d veneer check) ` + regexp.QuoteMeta(name[1]) + `$`)
		if run.MatchString(commands) {
			list = append(list, parts[i+1])
		}
	}
	return list
}

// fileName begins a file of a script.
var fileName = regexp.MustCompile(`(?m)^-- (\S+) --\n`)

// stands reports whether a snippet is one or more whole sections of a file.
func stands(snippet, file string) bool {
	_, after, found := strings.Cut("\n"+file, "\n"+strings.TrimSpace(snippet)+"\n")
	return found && !strings.HasPrefix(after, " ")
}

func TestStands(t *testing.T) {
	const file = "a: 1\nb:\n  c: 2\n  d: 3\n"
	for snippet, want := range map[string]bool{
		"a: 1": true, "b:\n  c: 2\n  d: 3\n": true, "a: 1\nb:\n  c: 2\n  d: 3": true,
		"b:\n  c: 2\n": false, "c: 2": false, "b:\n  d: 3": false, "b:\n c: 2": false, "a: 12": false, "b": false,
	} {
		if got := stands(snippet, file); got != want {
			t.Errorf("stands(%q) = %t", snippet, got)
		}
	}
}
