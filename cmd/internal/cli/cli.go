// Package cli is the command line: a verb a file. It reads flags, prints for
// people or programs, and chooses the exit code; what a verb does is done in
// other packages.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"veneer/cmd/internal/doctor"
)

// The exit codes, all of them.
const (
	exitGood    = 0 // all is well
	exitFinding = 1 // a problem was found, or something failed while it ran
	exitUsage   = 2 // the command line is wrong
	exitReach   = 3 // an address cannot be had or reached
)

// usageError is a mistake on the command line.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errReported is a failure that has been printed already.
var errReported = errors.New("cli: reported")

// exitCode is the table from what a verb returned to the code.
func exitCode(err error) int {
	var usage usageError
	var network *net.OpError
	var unreachable *doctor.UnreachableError // a time that is up or a refused certificate is no OpError
	switch {
	case err == nil:
		return exitGood
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &network), errors.As(err, &unreachable):
		return exitReach
	}
	return exitFinding
}

// verbs is one constructor a verb.
var verbs = []func(*streams) *cobra.Command{newServe, newCheck, newExplain, newPurge, newStats, newDoctor, newHealth, newDemo, newVersion}

// Main runs the command line args (without the program's name) and returns the
// exit code. What was asked for goes to stdout; errors and the log go to
// stderr. A verb that serves ends when ctx does, at once, or gracefully with
// SIGTERM and SIGINT.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	s := &streams{out: stdout, err: stderr}
	root := newRoot(s)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && !errors.Is(err, errReported) {
		fmt.Fprintf(stderr, "veneer: %v\n", err)
		if code := exitCode(err); code == exitUsage {
			fmt.Fprintln(stderr, "Run veneer --help, or veneer VERB --help.")
		}
	}
	return exitCode(err)
}

func newRoot(s *streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "veneer VERB",
		Short: "A caching reverse proxy that several web origins can share",
		Long: "Veneer is a shared HTTP cache tier, a caching reverse proxy that several web\n" +
			"origins use at once. What it stores is bare; CORS is put on for each client.",
		SilenceErrors: true, SilenceUsage: true,
		Args: cobra.ArbitraryArgs,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	var names []string
	for _, verb := range verbs {
		c := verb(s)
		names = append(names, c.Name())
		root.AddCommand(c)
	}
	list := strings.Join(names, ", ")
	// Without this an unknown verb would be an error of cobra's own, which
	// names no verb that exists.
	root.RunE = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usagef("no verb is given; the verbs are %s", list)
		}
		return usagef("there is no verb %q; the verbs are %s", args[0], list)
	}
	return root
}

// args makes the mistake of too many or too few arguments a usage error.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, given []string) error {
		if err := check(c, given); err != nil {
			return usagef("%s: %w; usage: %s", c.Name(), err, c.UseLine())
		}
		return nil
	}
}

// streams are where a verb prints.
type streams struct{ out, err io.Writer }

// paint returns text in a colour, if w is a terminal and NO_COLOR does not say
// otherwise (https://no-color.org).
func paint(w io.Writer, colour, text string) string {
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" || !isTerminal(w) {
		return text
	}
	return colour + text + "\x1b[0m"
}

const (
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
	green  = "\x1b[32m"
)

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
