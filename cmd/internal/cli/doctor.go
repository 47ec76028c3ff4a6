package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"veneer/cmd/internal/doctor"
)

func newDoctor(s *streams) *cobra.Command {
	var o doctor.Options
	var asJSON bool
	c := &cobra.Command{
		Use:   "doctor URL --origin A [--origin B]",
		Short: "Find what is wrong with the CORS and the caches of any server",
		Long: "doctor asks a server what the pages of two origins would ask it, in the orders in\n" +
			"which caches go wrong, and prints a table, the evidence and the fix. The server\n" +
			"need not be Veneer. It sends about 25 requests, one after the other, without\n" +
			"credentials, and none that changes anything: the method is only asked for in a\n" +
			"preflight. It exits with 1 on a fault, or when 429, 5xx or silence left\n" +
			"the verdict not known, and with 3 when the server cannot be reached.\n\n" +
			"Most requests have a query of their own (veneer-doctor=...), which no cache has\n" +
			"seen. Where that is in the way there is --no-cache-buster; the URL should not be\n" +
			"in a cache then.",
		Example: "  veneer doctor https://api.example.com/users --origin https://app.example.com \\\n" +
			"    --origin https://partner.example.com --method PUT --header Content-Type,Authorization",
		Args: args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, given []string) error {
			o.URL = given[0]
			return examine(c.Context(), s, o, asJSON)
		},
	}
	flags := c.Flags()
	flags.StringArrayVar(&o.Origins, "origin", nil, "an `ORIGIN` that the server is meant to let in; one or two")
	flags.StringVar(&o.Method, "method", "GET", "the `METHOD` that the preflight asks for")
	flags.StringSliceVar(&o.Headers, "header", nil, "the `NAME` of a field that the preflight asks for; may be repeated")
	flags.DurationVar(&o.Timeout, "timeout", 0, "how long to wait for each answer (default 10s)")
	flags.BoolVar(&o.Insecure, "insecure", false, "accept any certificate")
	flags.BoolVar(&o.NoCacheBuster, "no-cache-buster", false, "send every request to the URL as it is")
	flags.BoolVar(&asJSON, "json", false, "print for programs")
	return c
}

func examine(ctx context.Context, s *streams, o doctor.Options, asJSON bool) error {
	rep, err := doctor.Examine(ctx, o)
	var argument *doctor.ArgumentError
	switch {
	case errors.As(err, &argument):
		return usageError{err}
	case err != nil:
		return err
	}
	if asJSON {
		err = rep.WriteJSON(s.out)
	} else {
		err = rep.WriteText(s.out, func(severity doctor.Severity, text string) string {
			if severity == doctor.Note {
				return text
			}
			return paint(s.out, severityColour(severity), text)
		})
	}
	switch {
	case err != nil:
		return fmt.Errorf("cannot print: %w", err)
	case !rep.Good:
		return errReported
	}
	return nil
}

func severityColour(severity doctor.Severity) string {
	switch severity {
	case doctor.Fault:
		return red
	case doctor.Warning:
		return yellow
	}
	return green
}
