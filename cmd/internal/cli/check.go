package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"veneer/cmd/internal/app"
	"veneer/cmd/internal/config"
)

func newCheck(s *streams) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "check FILE",
		Short: "Check a configuration and print every problem at once",
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, given []string) error {
			return check(s, given[0], asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print for programs")
	return c
}

// check loads a file as serve does, and compiles it as serve would, so that a
// file that passes can be served as far as the file alone decides it.
func check(s *streams, file string, asJSON bool) error {
	cfg, problems := config.Load(file)
	if cfg != nil {
		if err := app.Check(cfg); err != nil {
			problems = append(problems, config.Problem{File: file, Why: err.Error()})
		}
	}
	write := writeProblems
	if asJSON {
		write = writeJSON
	}
	if err := write(s.out, file, problems); err != nil {
		return fmt.Errorf("cannot print: %w", err)
	}
	if len(problems.Errors()) > 0 {
		return errReported
	}
	return nil
}

func writeProblems(w io.Writer, file string, problems config.Problems) error {
	for _, p := range problems {
		colour := red
		if p.Warning {
			colour = yellow
		}
		if _, err := fmt.Fprintln(w, paint(w, colour, p.String())); err != nil {
			return err
		}
	}
	errs, warnings := len(problems.Errors()), len(problems.Warnings())
	verdict := paint(w, green, file+": good")
	if errs > 0 {
		verdict = fmt.Sprintf("%s: %s", file, count(errs, "problem"))
	}
	if warnings > 0 {
		verdict += ", " + count(warnings, "warning")
	}
	_, err := fmt.Fprintln(w, verdict)
	return err
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// jsonProblem is a config.Problem with names that programs may rely on.
type jsonProblem struct {
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Field    string `json:"field,omitempty"`
	Got      string `json:"got,omitempty"`
	Why      string `json:"why"`
	Fix      string `json:"fix,omitempty"`
	Severity string `json:"severity"` // error or warning
}

func writeJSON(w io.Writer, file string, problems config.Problems) error {
	report := struct {
		File     string        `json:"file"`
		Good     bool          `json:"good"`
		Problems []jsonProblem `json:"problems"`
	}{file, len(problems.Errors()) == 0, make([]jsonProblem, 0, len(problems))}
	for _, p := range problems {
		severity := "error"
		if p.Warning {
			severity = "warning"
		}
		report.Problems = append(report.Problems, jsonProblem{
			p.File, p.Line, p.Col, p.Field, p.Got, p.Why, p.Fix, severity,
		})
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(report)
}
