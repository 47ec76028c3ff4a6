package main

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// The file is what the program writes.
func TestWritten(t *testing.T) {
	var want bytes.Buffer
	if err := write(&want); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("veneer.json")
	if err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("veneer.json is not what the program writes (%v): go run ./deploy/grafana > deploy/grafana/veneer.json", err)
	}
}

// written is what of the file the test looks at.
type written struct {
	Panels []struct {
		ID                       int
		Type, Title, Description string
		Datasource               struct{ UID string }
		GridPos                  struct{ X, Y, W, H int }
		FieldConfig              struct{ Defaults struct{ Unit string } }
		Targets                  []struct {
			RefID, Expr, LegendFormat string
			Datasource                struct{ UID string }
		}
	}
	Templating struct{ List []struct{ Name string } }
}

// Every panel says what it shows, in which unit, and asks the data source that
// was chosen; no two stand in one place.
func TestPanels(t *testing.T) {
	src, err := os.ReadFile("veneer.json")
	if err != nil {
		t.Fatal(err)
	}
	var d written
	if err := json.Unmarshal(src, &d); err != nil {
		t.Fatal(err)
	}
	units := []string{"reqps", "percentunit", "s", "bytes", "ops", "short", "Bps"}
	taken := map[[2]int]string{}
	seen := map[int]bool{}
	shown := 0
	for _, p := range d.Panels {
		if seen[p.ID] || p.ID == 0 || p.Title == "" {
			t.Errorf("panel %d %q: no title, or no number of its own", p.ID, p.Title)
		}
		seen[p.ID] = true
		g := p.GridPos
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("%q stands at %d, %d, beside the grid or where %q is", p.Title, x, y, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		shown++
		if len(p.Description) < 10 || !slices.Contains(units, p.FieldConfig.Defaults.Unit) || len(p.Targets) == 0 || p.Datasource.UID != "${datasource}" {
			t.Errorf("%q: description %q, unit %q, %d queries, data source %q", p.Title, p.Description, p.FieldConfig.Defaults.Unit, len(p.Targets), p.Datasource.UID)
		}
		for _, q := range p.Targets {
			if q.Datasource.UID != "${datasource}" || !strings.Contains(q.Expr, `instance=~"$instance"`) {
				t.Errorf("%q: %s: not of the data source and the instances that were chosen", p.Title, q.Expr)
			}
			if len(p.Targets) > 1 && q.LegendFormat == "" {
				t.Errorf("%q: %s has no name among the others", p.Title, q.Expr)
			}
		}
	}
	if shown < 30 {
		t.Errorf("%d panels: some are lost", shown)
	}
	for _, name := range []string{"datasource", "instance", "route"} {
		if !slices.ContainsFunc(d.Templating.List, func(v struct{ Name string }) bool { return v.Name == name }) {
			t.Errorf("there is no variable %s", name)
		}
	}
}
