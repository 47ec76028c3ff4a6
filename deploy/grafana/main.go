// Command grafana writes the dashboard of a Veneer tier, veneer.json beside it:
//
//	go run ./deploy/grafana > deploy/grafana/veneer.json
//
// The dashboard is a table of panels in Go, so that each has a unit, a
// description, the variables and the same look; a test holds the file against
// it, and another each metric against what the built program exposes.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := write(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "grafana:", err)
		os.Exit(1)
	}
}

// write writes the dashboard as Grafana's provisioning and its import page take
// it.
func write(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(dashboard())
}

// object is one of JSON; encoding/json sorts its keys.
type object map[string]any

// source is the data source of everything: a variable, so that one file fits
// every Grafana.
var source = object{"type": "prometheus", "uid": "${datasource}"}

func dashboard() object {
	return object{
		"uid": "veneer", "title": "Veneer", "tags": []string{"veneer", "cache", "cors"},
		"description":   "A tier of Veneer nodes: what the cache takes from the upstreams, what it does not store and why, CORS, and the nodes themselves.",
		"schemaVersion": 39, "editable": true, "graphTooltip": 1, "refresh": "30s", "timezone": "browser",
		"time":        object{"from": "now-3h", "to": "now"},
		"templating":  object{"list": variables()},
		"annotations": object{"list": []object{reloads()}},
		"panels":      panels(),
	}
}

func variables() []object {
	query := func(name, label, expr string) object {
		return object{
			"type": "query", "name": name, "label": label, "datasource": source, "query": object{"query": expr, "refId": name},
			"refresh": 2, "sort": 1, "multi": true, "includeAll": true, "allValue": ".*",
			"current": object{"text": "All", "value": "$__all"},
		}
	}
	return []object{
		{"type": "datasource", "name": "datasource", "label": "Data source", "query": "prometheus", "current": object{}},
		query("instance", "Instance", "label_values(veneer_cache_bytes, instance)"),
		query("route", "Route", `label_values(veneer_cache_requests_total{instance=~"$instance"}, route)`),
	}
}

// reloads marks each configuration that was taken.
func reloads() object {
	return object{
		"name": "Reloads", "datasource": source, "enable": true, "iconColor": "blue",
		"expr": `changes(veneer_config_loaded_timestamp_seconds{instance=~"$instance"}[1m]) > 0`, "titleFormat": "{{instance}} took a new configuration",
	}
}

// panels lays the rows out: a grid of 24 columns, filled from the left.
func panels() []object {
	var list []object
	id, y := 0, 0
	for _, r := range rows {
		id++
		list = append(list, object{"type": "row", "id": id, "title": r.title, "collapsed": false, "panels": []any{}, "gridPos": grid(0, y, 24, 1)})
		y++
		x, height := 0, 0
		for _, p := range r.panels {
			w, h := p.size()
			if x+w > 24 {
				x, y, height = 0, y+height, 0
			}
			id++
			list = append(list, p.object(id, grid(x, y, w, h)))
			x, height = x+w, max(height, h)
		}
		y += height
	}
	return list
}

func grid(x, y, w, h int) object { return object{"x": x, "y": y, "w": w, "h": h} }

// kind is how a panel shows its series.
type kind string

const (
	lines   kind = "timeseries"
	areas   kind = "timeseries, stacked"
	number  kind = "stat"
	heatmap kind = "heatmap"
)

// panel is one panel; its queries are pairs of an expression and a legend.
type panel struct {
	title, unit string
	kind        kind
	about       string
	queries     [][2]string
	good, bad   float64 // of a number: where it turns to green and to red; both 0: no colours
}

func (p panel) size() (w, h int) {
	if p.kind == number {
		return 4, 4
	}
	return 8, 8
}

func (p panel) object(id int, at object) object {
	targets := make([]object, len(p.queries))
	for i, q := range p.queries {
		targets[i] = object{"refId": string(rune('A' + i)), "datasource": source, "expr": q[0], "legendFormat": q[1], "range": true}
		if p.kind == heatmap {
			targets[i]["format"] = "heatmap"
		}
	}
	defaults := object{"unit": p.unit, "min": 0}
	if p.unit == "percentunit" {
		defaults["max"] = 1
	}
	o := object{
		"id": id, "title": p.title, "description": p.about, "datasource": source, "gridPos": at, "targets": targets,
		"fieldConfig": object{"defaults": defaults, "overrides": []any{}},
	}
	switch p.kind {
	case number:
		o["type"] = "stat"
		o["options"] = object{"reduceOptions": object{"calcs": []string{"lastNotNull"}}, "colorMode": "value", "graphMode": "area"}
		defaults["thresholds"] = p.thresholds()
	case heatmap:
		o["type"] = "heatmap"
		o["options"] = object{"calculate": false, "yAxis": object{"unit": p.unit}, "color": object{"mode": "scheme", "scheme": "Oranges"}}
	default:
		o["type"] = "timeseries"
		o["options"] = object{"legend": object{"displayMode": "table", "placement": "bottom", "calcs": []string{"lastNotNull", "max"}}, "tooltip": object{"mode": "multi", "sort": "desc"}}
		custom := object{"lineWidth": 1, "fillOpacity": 10, "showPoints": "never", "spanNulls": false}
		if p.kind == areas {
			custom["stacking"], custom["fillOpacity"] = object{"mode": "normal"}, 40
		}
		defaults["custom"] = custom
	}
	return o
}

// thresholds are the colours of a number, whichever side is the good one.
func (p panel) thresholds() object {
	steps := []object{{"color": "text", "value": nil}}
	switch {
	case p.good > p.bad:
		steps = []object{{"color": "red", "value": nil}, {"color": "orange", "value": p.bad}, {"color": "green", "value": p.good}}
	case p.good < p.bad:
		steps = []object{{"color": "green", "value": nil}, {"color": "orange", "value": p.good}, {"color": "red", "value": p.bad}}
	}
	return object{"mode": "absolute", "steps": steps}
}
