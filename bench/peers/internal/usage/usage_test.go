package usage

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// process is one in a made-up /proc.
type process struct {
	pid, parent int
	name        string
	ticks       [4]int         // user, system, and those of children that were waited for
	threads     map[int]string // their schedstat; "" is none
}

func proc(t *testing.T, all ...process) Proc {
	t.Helper()
	root := t.TempDir()
	put := func(text string, path ...string) {
		t.Helper()
		file := filepath.Join(append([]string{root}, path...)...)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if text == "" {
			return
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("0.1 0.2 0.3 1/1 1\n", "loadavg")
	for _, p := range all {
		pid := fmt.Sprint(p.pid)
		stat := fmt.Sprintf("%d (%s) S %d 1 1 0 -1 0 0 0 0 0 %d %d %d %d 20 0 1 0 0\n", p.pid, p.name, p.parent, p.ticks[0], p.ticks[1], p.ticks[2], p.ticks[3])
		put(stat, pid, "stat")
		for id, text := range p.threads {
			put(text, pid, "task", fmt.Sprint(id), "schedstat")
		}
	}
	return Proc{Root: root}
}

func ns(n int) string { return fmt.Sprintf("%d 11 12\n", n) }

func TestSince(t *testing.T) {
	stranger := process{pid: 9, parent: 1, name: "stranger", ticks: [4]int{500, 500}, threads: map[int]string{9: ns(77)}}
	root := func(user int, threads map[int]string) process {
		return process{pid: 2, parent: 1, name: "a server) (of (sorts", ticks: [4]int{user, 1, 2, 3}, threads: threads}
	}
	worker := func(user int, threads map[int]string) process {
		return process{pid: 5, parent: 2, name: "worker", ticks: [4]int{user}, threads: threads}
	}
	grandchild := process{pid: 3, parent: 5, name: "", ticks: [4]int{0, 7}, threads: map[int]string{3: ns(1000)}}
	for _, c := range []struct {
		name          string
		before, after []process
		want          time.Duration
		clock         Clock
	}{
		{
			"threads of the whole tree",
			[]process{stranger, root(1, map[int]string{2: ns(10), 4: ns(20)}), worker(1, map[int]string{5: ns(5)})},
			[]process{stranger, root(1, map[int]string{2: ns(15), 4: ns(20)}), worker(9, map[int]string{5: ns(6)})},
			6, Schedstat,
		},
		{
			"what is new counts whole",
			[]process{root(1, map[int]string{2: ns(10)})},
			[]process{root(1, map[int]string{2: ns(10), 4: ns(3)}), worker(0, map[int]string{5: ns(500)}), grandchild},
			1503, Schedstat,
		},
		{
			"a thread has died",
			[]process{root(1, map[int]string{2: ns(10), 4: ns(20)})},
			[]process{root(4, map[int]string{2: ns(10)})},
			30 * time.Millisecond, Stat,
		},
		{
			"no schedstat",
			[]process{root(1, map[int]string{2: ""})},
			[]process{root(3, map[int]string{2: ""})},
			20 * time.Millisecond, Stat,
		},
		{
			"schedstat is something else",
			[]process{root(1, map[int]string{2: "none"})},
			[]process{root(3, map[int]string{2: "a b c"})},
			20 * time.Millisecond, Stat,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, err := proc(t, c.before...).Read(2)
			if err != nil {
				t.Fatal(err)
			}
			after, err := proc(t, c.after...).Read(2)
			if err != nil {
				t.Fatal(err)
			}
			if got, clock := after.Since(before); got != c.want || clock != c.clock {
				t.Errorf("used %v by %s, want %v by %s", got, clock, c.want, c.clock)
			}
		})
	}
}

func TestReadErrors(t *testing.T) {
	if _, err := proc(t, process{pid: 2}).Read(7); err == nil || !strings.Contains(err.Error(), "has ended") {
		t.Errorf("of a process that is not there: %v", err)
	}
	if _, err := (Proc{Root: filepath.Join(t.TempDir(), "none")}).Read(7); err == nil {
		t.Error("no error without a proc file system")
	}
	for _, text := range []string{"", "1 name S 0", "1 )name( S 0", "x (n) S 0 1 1 0 -1 0 0 0 0 0 1 1 1 1", "1 (n) S x 1 1 0 -1 0 0 0 0 0 1 1 1 1", "1 (n) S 0 1 1 0 -1 0 0 0 0 0 1 x 1 1", "1 (n) S 0"} {
		if s, err := parseStat(text); err == nil {
			t.Errorf("%q is read as %+v", text, s)
		}
	}
}

func TestOfThisProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has this /proc")
	}
	before, err := System.Read(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	// Work until the clock has moved, and not longer than a test may take.
	for deadline := time.Now().Add(10 * time.Second); ; {
		now, err := System.Read(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		if used, _ := now.Since(before); used > 20*time.Millisecond {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the process has used nothing")
		}
	}
	cores, err := System.Allowed()
	if err != nil || len(cores) == 0 {
		t.Fatalf("cores: %v, %v", cores, err)
	}
	if _, err := System.Core(cores[0]); err != nil {
		t.Error(err)
	}
}

func TestParseCore(t *testing.T) {
	const text = "cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 1 2 3 1000 500 4 5 6 7 8\ncpu1 10 0 0 0 0 0 0 0 0 0\ncpu2 x\nintr 1\n"
	for core, want := range map[int]time.Duration{0: 210 * time.Millisecond, 1: 100 * time.Millisecond} {
		if got, err := parseCore(text, core); err != nil || got != want {
			t.Errorf("core %d: %v, %v, want %v", core, got, err, want)
		}
	}
	for _, core := range []int{2, 3} {
		if got, err := parseCore(text, core); err == nil {
			t.Errorf("core %d: %v", core, got)
		}
	}
}

func TestParseList(t *testing.T) {
	for list, want := range map[string][]int{"0": {0}, "0-1": {0, 1}, "0-2,7": {0, 1, 2, 7}, "3,5-6": {3, 5, 6}} {
		if got, err := parseList(list); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v", list, got, err)
		}
	}
	for _, list := range []string{"", "a", "1-", "1-b"} {
		if got, err := parseList(list); err == nil {
			t.Errorf("%q is read as %v", list, got)
		}
	}
}
