package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"veneer/loadtest/internal/process"
	"veneer/loadtest/internal/report"
	"veneer/loadtest/internal/scenario"
)

// What the command ends with.
const (
	exitGood = iota
	exitBroken
	exitUsage
	exitCannot
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// command is what the flags say.
type command struct {
	short, list, secure bool
	names, out, binary  string
	duration            time.Duration
	rate                float64
	seed                uint64
}

func parse(args []string, stderr io.Writer) (command, error) {
	var c command
	f := flag.NewFlagSet("loadtest", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.BoolVar(&c.short, "short", false, "a few seconds for each scenario")
	f.BoolVar(&c.list, "list", false, "print the scenarios and end")
	f.BoolVar(&c.secure, "h2", false, "HTTP/2 over TLS in all scenarios")
	f.StringVar(&c.names, "scenario", "all", "`NAMES` of scenarios, with commas between them")
	f.StringVar(&c.out, "out", "", "write a report to this HTML `FILE`")
	f.StringVar(&c.binary, "binary", "", "the program's `FILE`; without it, it is built")
	f.DurationVar(&c.duration, "duration", 0, "of the load of each scenario (default 60s)")
	f.Float64Var(&c.rate, "rate", 0, "requests a second (default 500)")
	f.Uint64Var(&c.seed, "seed", 1, "another one makes other requests")
	if err := f.Parse(args); err != nil {
		return c, err
	}
	if f.NArg() > 0 || c.duration < 0 || c.rate < 0 {
		err := fmt.Errorf("cannot run: %q are no flags, or a duration or rate is negative; loadtest -h lists the flags", f.Args())
		fmt.Fprintln(stderr, err)
		return c, err
	}
	return c, nil
}

// options are those of one scenario.
func (c command) options(s scenario.Scenario) scenario.Options {
	o := scenario.Options{Rate: 500, Duration: time.Minute}
	if c.short {
		o = s.Short
	}
	if c.rate > 0 {
		o.Rate = c.rate
	}
	if c.duration > 0 {
		o.Duration = c.duration
	}
	o.Seed, o.Secure = c.seed, c.secure || s.Short.Secure
	return o
}

// chosen returns the scenarios that were named.
func (c command) chosen() ([]scenario.Scenario, error) {
	all := scenario.All()
	if c.names == "all" {
		return all, nil
	}
	known := make(map[string]scenario.Scenario, len(all))
	var names []string
	for _, s := range all {
		known[s.Name] = s
		names = append(names, s.Name)
	}
	var some []scenario.Scenario
	for name := range strings.SplitSeq(c.names, ",") {
		s, ok := known[strings.TrimSpace(name)]
		if !ok {
			return nil, fmt.Errorf("cannot run scenario %q: there is none of this name; there are %s", name, strings.Join(names, ", "))
		}
		some = append(some, s)
	}
	return some, nil
}

// run is the command. It returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitGood
	} else if err != nil {
		return exitUsage
	}
	chosen, err := c.chosen()
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitUsage
	}
	if c.list {
		for _, s := range chosen {
			fmt.Fprintf(stdout, "%-10s %s\n", s.Name, s.About)
		}
		return exitGood
	}
	results, err := c.measure(ctx, chosen, stdout)
	if err == nil && c.out != "" {
		err = c.write(results)
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitCannot
	}
	return verdict(stdout, results)
}

func verdict(stdout io.Writer, results []*scenario.Result) int {
	promises, broken := 0, 0
	for _, r := range results {
		promises += len(r.Promises)
		broken += len(r.Broken())
	}
	fmt.Fprintf(stdout, "%d scenarios, %d promises, %d broken\n", len(results), promises, broken)
	if broken > 0 {
		return exitBroken
	}
	return exitGood
}

// measure runs the scenarios, one after the other.
func (c command) measure(ctx context.Context, chosen []scenario.Scenario, stdout io.Writer) ([]*scenario.Result, error) {
	dir, err := os.MkdirTemp("", "loadtest")
	if err != nil {
		return nil, fmt.Errorf("cannot run: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary := c.binary
	if binary == "" {
		if binary, err = process.Build(ctx, dir); err != nil {
			return nil, err
		}
	}
	var results []*scenario.Result
	for _, s := range chosen {
		home := filepath.Join(dir, s.Name)
		if err := os.MkdirAll(home, 0o700); err != nil {
			return nil, fmt.Errorf("cannot run: %w", err)
		}
		r, err := decide(stdout, func() (*scenario.Result, error) {
			return scenario.Run(ctx, s, c.options(s), func(ctx context.Context, settings process.Settings) (scenario.Proxy, error) {
				return process.Start(ctx, binary, home, settings)
			})
		})
		if err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	return results, nil
}

// decide runs a scenario, and again when the machine was too busy for it to
// say anything. The third time counts, whatever it says.
func decide(stdout io.Writer, try func() (*scenario.Result, error)) (*scenario.Result, error) {
	const attempts = 3
	for n := 1; ; n++ {
		r, err := try()
		if err != nil {
			return nil, err
		}
		report.Text(stdout, r)
		if n == attempts || !r.Undecided() {
			return r, nil
		}
		fmt.Fprintf(stdout, "    UNDECIDED: the machine kept the generator itself waiting, %s at the 99 %% quantile: once more\n", r.Load.Lag(0.99))
	}
}

// write makes the report.
func (c command) write(results []*scenario.Result) error {
	f, err := os.Create(c.out)
	if err != nil {
		return fmt.Errorf("cannot write the report: %w", err)
	}
	about := report.About{
		When: time.Now(), Program: "veneer built from this tree",
		Machine: fmt.Sprintf("%d processors, %s/%s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version()),
	}
	if c.binary != "" {
		about.Program = filepath.Base(c.binary) + " as given"
	}
	if err := errors.Join(report.HTML(f, about, results), f.Close()); err != nil {
		return fmt.Errorf("cannot write the report: %w", err)
	}
	return nil
}
