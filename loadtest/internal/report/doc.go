// Package report draws what scenarios have found: a page of HTML with charts in
// SVG that needs nothing from anywhere, and a table for a terminal.
package report
