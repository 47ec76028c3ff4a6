package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"veneer/bench/peers/internal/contest"
	"veneer/bench/peers/internal/peer"
	"veneer/bench/peers/internal/report"
	"veneer/bench/peers/internal/usage"
)

// command is what the flags say.
type command struct {
	rows, servers, cores    string
	jsonFile, svgFile       string
	binary                  string
	rounds, connections     int
	time                    time.Duration
	list, markdown, verbose bool
	goals                   bool
	flags                   map[string]string // as given or by default, for the report
	serverCore, clientCore  int
	chosenRows              []contest.Row
	chosenServers           []*peer.Server
}

func parse(args []string, stderr io.Writer) (*command, error) {
	c := &command{flags: make(map[string]string)}
	f := flag.NewFlagSet("peers", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&c.rows, "rows", strings.Join(contest.Default, ","), "`NAMES` of rows, with commas between them, or all")
	f.StringVar(&c.servers, "servers", "all", "`NAMES` of servers, with commas between them")
	f.IntVar(&c.rounds, "rounds", 15, "how often each server has its turn")
	f.DurationVar(&c.time, "time", time.Second, "of the load in each round")
	f.IntVar(&c.connections, "connections", 32, "kept connections of HTTP/1.1")
	f.StringVar(&c.cores, "cores", firstTwo(), "the server's core, and the one of client and upstream")
	f.StringVar(&c.binary, "binary", "", "the `FILE` of Veneer; without it, it is built from this tree")
	f.StringVar(&c.jsonFile, "json", "", "write everything to this `FILE`")
	f.StringVar(&c.svgFile, "svg", "", "draw the ratios into this `FILE`")
	f.BoolVar(&c.markdown, "markdown", false, "print the tables as Markdown")
	f.BoolVar(&c.goals, "goals", false, "say which goals are met; exit code 1 when one is missed")
	f.BoolVar(&c.list, "list", false, "print rows and servers, and end")
	f.BoolVar(&c.verbose, "v", false, "say on stderr what is going on")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	f.VisitAll(func(one *flag.Flag) { c.flags[one.Name] = one.Value.String() })
	if err := c.settle(f.Args()); err != nil {
		fmt.Fprintln(stderr, err)
		return nil, err
	}
	return c, nil
}

// firstTwo are the first two cores that this process may use.
func firstTwo() string {
	cores, err := usage.System.Allowed()
	if err != nil || len(cores) < 2 {
		return "0,1"
	}
	return fmt.Sprintf("%d,%d", cores[0], cores[1])
}

// settle looks at what the flag package does not.
func (c *command) settle(rest []string) error {
	if len(rest) > 0 {
		return fmt.Errorf("cannot run: %q are no flags; peers -h lists the flags", rest)
	}
	if c.rounds < 1 || c.connections < 1 || c.time < 100*time.Millisecond {
		return errors.New("cannot run: it takes at least 1 round, 1 connection and 100ms")
	}
	server, client, _ := strings.Cut(c.cores, ",")
	var err1, err2 error
	c.serverCore, err1 = strconv.Atoi(server)
	c.clientCore, err2 = strconv.Atoi(client)
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("cannot run on the cores %q: %w", c.cores, err)
	}
	var err error
	if c.chosenRows, err = contest.Choose(contest.Rows(), func(r contest.Row) string { return r.Name }, c.rows); err != nil {
		return err
	}
	c.chosenServers, err = contest.Choose(peer.All(), func(s *peer.Server) string { return s.Name }, c.servers)
	return err
}

// run is the command. It returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitGood
	} else if err != nil {
		return exitUsage
	}
	if c.list {
		c.print(stdout)
		return exitGood
	}
	r, err := c.measure(ctx, stderr)
	if err == nil {
		err = c.write(r, stdout)
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitCannot
	}
	findings := r.WriteFaults(stdout)
	if c.goals {
		findings += r.WriteGoals(stdout)
	}
	if findings > 0 {
		return exitFinding
	}
	return exitGood
}

func (c *command) print(w io.Writer) {
	for _, r := range contest.Rows() {
		fmt.Fprintf(w, "row     %-14s %s\n", r.Name, r.Title)
	}
	for _, s := range peer.All() {
		there := ""
		if _, err := (peer.Programs{}).Find(s); err != nil {
			there = " (not installed)"
		}
		fmt.Fprintf(w, "server  %-14s %s%s\n", s.Name, s.About, there)
	}
}

// measure runs all of it in a directory of its own, which it removes.
func (c *command) measure(ctx context.Context, stderr io.Writer) (*report.Report, error) {
	dir, err := os.MkdirTemp("", "peers")
	if err != nil {
		return nil, fmt.Errorf("cannot run: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	// Servers that give up root look into it.
	if err := os.Chmod(dir, 0o755); err != nil { // #nosec G302
		return nil, fmt.Errorf("cannot run: %w", err)
	}
	plan := contest.Plan{
		Rows: c.chosenRows, Servers: c.chosenServers, Rounds: c.rounds, Time: c.time, Connections: c.connections,
		H2: [2]int{8, 16}, ServerCore: c.serverCore, ClientCore: c.clientCore, Dir: dir, Progress: io.Discard,
	}
	if c.verbose {
		plan.Progress = stderr
	}
	if plan.Programs, err = c.programs(ctx, dir); err != nil {
		return nil, err
	}
	if plan.Cert, err = peer.Certify(dir); err != nil {
		return nil, err
	}
	r := &report.Report{Date: time.Now(), Machine: report.ThisMachine(), Flags: c.flags, Versions: versions(plan)}
	r.Outcomes, err = plan.Run(ctx)
	return r, err
}

// programs finds the running binary, and builds Veneer unless it was given.
func (c *command) programs(ctx context.Context, dir string) (p peer.Programs, err error) {
	if p.Self, err = os.Executable(); err != nil {
		return p, fmt.Errorf("cannot run: %w", err)
	}
	if c.binary != "" {
		p.Veneer, err = filepath.Abs(c.binary)
		return p, err
	}
	p.Veneer = filepath.Join(dir, "veneer")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", p.Veneer, "veneer/cmd/veneer").CombinedOutput() // #nosec G204
	if err != nil {
		return p, fmt.Errorf("cannot build veneer/cmd/veneer (the working directory has to be in its module): %w\n%s", err, out)
	}
	return p, nil
}

func versions(plan contest.Plan) map[string]string {
	all := make(map[string]string)
	for _, s := range plan.Servers {
		if v := plan.Programs.Version(s); v != "" {
			all[s.Name] = v
		}
	}
	for program, ask := range map[string]string{"wrk": "-v", "h2load": "--version", "taskset": "--version"} {
		if v := peer.Said(program, ask); v != "" {
			all[program] = v
		}
	}
	all["go"] = runtime.Version()
	return all
}

func (c *command) write(r *report.Report, stdout io.Writer) error {
	if err := r.Table(stdout, c.markdown); err != nil {
		return err
	}
	if c.jsonFile != "" {
		if err := toFile(c.jsonFile, r.JSON); err != nil {
			return err
		}
	}
	if c.svgFile != "" {
		return toFile(c.svgFile, r.SVG)
	}
	return nil
}

func toFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path) // #nosec G304: the user's own file
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return errors.Join(write(f), f.Close())
}
