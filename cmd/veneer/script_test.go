package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"veneer": main})
}

// TestScripts runs the program end to end. Beside the commands of testscript
// there are:
//
//	exits CODE COMMAND…        run it and check the exit code
//	background COMMAND…        start it and wait until it listens: $PROXY, $ADMIN
//	await PATTERN              wait until it logs a line like that, after the last such line
//	signal HUP|TERM|INT|USR1   send it a signal
//	ended CODE                 wait until it has ended, and check the exit code
//	http [-until PATTERN] [-H FIELD]… METHOD URL
//	                           send a request, again until the answer is like that
//	request NAME …, response NAME
//	                           the same in the background
//	upstream start|stop|reserve|release|await PATH
//	                           an application at $UPSTREAM (see upstream_test.go)
//	service NAME FILE|stop|seen [FIELD]...
//	                           an upstream with the answers of FILE at $NAME (see service_test.go)
//	curl ARGUMENT…             send a request to $PROXY (see curl_test.go)
//	certificate HOST           make tls.crt and tls.key
//	transcript                 print all that curl sent and got
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			s := &state{requests: make(map[string]chan outcome), services: make(map[string]*service)}
			env.Values[stateKey{}] = s
			env.Defer(s.close)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":       cmdExits,
			"background":  cmdBackground,
			"await":       cmdAwait,
			"signal":      cmdSignal,
			"ended":       cmdEnded,
			"http":        cmdHTTP,
			"request":     cmdRequest,
			"response":    cmdResponse,
			"upstream":    cmdUpstream,
			"service":     cmdService,
			"curl":        cmdCurl,
			"certificate": cmdCertificate,
			"transcript":  cmdTranscript,
		},
	})
}

// patience bounds every wait of a script.
const patience = 20 * time.Second

type stateKey struct{}

// state is what one script has running.
type state struct {
	process    *process
	app        *application
	requests   map[string]chan outcome
	services   map[string]*service
	transcript strings.Builder // of curl
}

func stateOf(ts *testscript.TestScript) *state { return ts.Value(stateKey{}).(*state) }

func (s *state) close() {
	if s.process != nil {
		s.process.kill()
	}
	if s.app != nil {
		s.app.stop()
	}
	for _, a := range s.services {
		a.stop()
	}
	for _, c := range s.requests {
		<-c // its server is gone
	}
}

// plain fails on a command that has no negative form.
func plain(ts *testscript.TestScript, neg bool, name string) {
	if neg {
		ts.Fatalf("%s cannot be negated", name)
	}
}

func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	plain(ts, neg, "exits")
	if len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	code := 0
	var exit *exec.ExitError
	switch err := ts.Exec(args[1], args[2:]...); {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// process is a program in the background. Its output can be waited for.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended

	mu     sync.Mutex // guards what follows
	output bytes.Buffer
	seen   int           // what await has passed
	more   chan struct{} // closed and replaced when there is more output
}

// Write implements io.Writer for the program's output.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.more)
	p.more = make(chan struct{})
	return p.output.Write(b)
}

// await returns the submatches of the first match of re that await has not
// passed yet, or nil when the program ends, or patience, before there is one.
func (p *process) await(re *regexp.Regexp) []string {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		p.mu.Lock()
		text, more := p.output.String()[p.seen:], p.more
		at := re.FindStringSubmatchIndex(text)
		if at != nil {
			p.seen += at[1]
		}
		p.mu.Unlock()
		if at != nil {
			return re.FindStringSubmatch(text)
		}
		select {
		case <-more:
		case <-p.done:
			// What it wrote last may have come beside its end.
			p.mu.Lock()
			rest := p.output.Len() > p.seen+len(text)
			p.mu.Unlock()
			if !rest {
				return nil
			}
		case <-deadline.C:
			return nil
		}
	}
}

func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String()
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.done
}

var (
	listening      = regexp.MustCompile(`msg=listening address=(\S+)`)
	adminListening = regexp.MustCompile(`msg="admin listening" address=(\S+)`)
)

func cmdBackground(ts *testscript.TestScript, neg bool, args []string) {
	plain(ts, neg, "background")
	s := stateOf(ts)
	if len(args) == 0 || s.process != nil {
		ts.Fatalf("usage: background COMMAND..., once a script")
	}
	p := &process{done: make(chan struct{}), more: make(chan struct{})}
	p.cmd = exec.Command(lookPath(ts, args[0]), args[1:]...)
	p.cmd.Dir = ts.MkAbs(".")
	p.cmd.Env = []string{"PATH=" + ts.Getenv("PATH"), "HOME=" + ts.Getenv("HOME"), "TMPDIR=" + ts.Getenv("TMPDIR")}
	for name, a := range s.services {
		p.cmd.Env = append(p.cmd.Env, strings.ToUpper(name)+"="+a.url)
	}
	p.cmd.Stdout, p.cmd.Stderr = p, p
	ts.Check(p.cmd.Start())
	s.process = p
	go func() { _ = p.cmd.Wait(); close(p.done) }() // ended reads the exit code
	m := p.await(listening)
	if m == nil {
		ts.Fatalf("it does not listen:\n%s", p.text())
	}
	ts.Setenv("PROXY", "http://"+m[1])
	if m := adminListening.FindStringSubmatch(p.text()); m != nil {
		ts.Setenv("ADMIN", "http://"+m[1])
	}
}

// lookPath finds a command in the script's PATH, which is not the test's.
func lookPath(ts *testscript.TestScript, name string) string {
	for _, dir := range strings.Split(ts.Getenv("PATH"), ":") {
		if path, err := exec.LookPath(dir + "/" + name); err == nil {
			return path
		}
	}
	ts.Fatalf("there is no command %q", name)
	return ""
}

func running(ts *testscript.TestScript) *process {
	p := stateOf(ts).process
	if p == nil {
		ts.Fatalf("nothing was started with background")
	}
	return p
}

func cmdAwait(ts *testscript.TestScript, neg bool, args []string) {
	plain(ts, neg, "await")
	if len(args) != 1 {
		ts.Fatalf("usage: await PATTERN")
	}
	re, err := regexp.Compile(args[0])
	ts.Check(err)
	if p := running(ts); p.await(re) == nil {
		ts.Fatalf("no output matches %q:\n%s", args[0], p.text())
	}
}

var signals = map[string]syscall.Signal{"HUP": syscall.SIGHUP, "TERM": syscall.SIGTERM, "INT": syscall.SIGINT}

func cmdSignal(ts *testscript.TestScript, neg bool, args []string) {
	plain(ts, neg, "signal")
	if len(args) != 1 || signals[args[0]] == 0 {
		ts.Fatalf("usage: signal HUP|TERM|INT|USR1")
	}
	ts.Check(running(ts).cmd.Process.Signal(signals[args[0]]))
}

func cmdEnded(ts *testscript.TestScript, neg bool, args []string) {
	plain(ts, neg, "ended")
	if len(args) != 1 {
		ts.Fatalf("usage: ended CODE")
	}
	p := running(ts)
	select {
	case <-p.done:
	case <-time.After(patience):
		ts.Fatalf("it has not ended:\n%s", p.text())
	}
	if code := strconv.Itoa(p.cmd.ProcessState.ExitCode()); code != args[0] {
		ts.Fatalf("exit code %s, want %s:\n%s", code, args[0], p.text())
	}
	if _, err := ts.Stderr().Write([]byte(p.text())); err != nil {
		ts.Fatalf("%v", err)
	}
}
