// Package usage tells how much processor time a process and all that it has
// started have used, as Linux counts it in /proc.
package usage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// userHz is the unit of the times in stat. It is 100 in the interface to
// programs on every architecture that Linux and Go have in common, whatever the
// kernel ticks at (times(2), sysconf(3)).
const userHz = 100

// Clock says where a time was read.
type Clock string

// The clocks: schedstat counts nanoseconds, but only of threads that live; stat
// counts hundredths of a second, and keeps those of the dead.
const (
	Schedstat Clock = "schedstat"
	Stat      Clock = "stat"
)

// Proc is a mounted proc file system.
type Proc struct{ Root string }

// System is where Linux has it.
var System = Proc{Root: "/proc"}

// Reading is what a tree of processes had used at one time.
type Reading struct {
	threads map[int]time.Duration // of every living thread, by its id; nil where there is no schedstat
	total   time.Duration         // of the whole tree, the dead children included
}

// Read reads what the process pid and its living descendants have used.
func (p Proc) Read(pid int) (Reading, error) {
	tree, err := p.tree(pid)
	if err != nil {
		return Reading{}, err
	}
	r := Reading{threads: make(map[int]time.Duration)}
	for _, s := range tree {
		r.total += s.used
		if r.threads != nil && !p.addThreads(r.threads, s.pid) {
			r.threads = nil
		}
	}
	return r, nil
}

// Since returns what was used between before and r, and by which clock: the
// finer one, unless a thread has died in between and took its count with it.
func (r Reading) Since(before Reading) (time.Duration, Clock) {
	if r.threads == nil || before.threads == nil {
		return r.total - before.total, Stat
	}
	for id := range before.threads {
		if _, lives := r.threads[id]; !lives {
			return r.total - before.total, Stat
		}
	}
	var used time.Duration
	for id, now := range r.threads {
		used += now - before.threads[id]
	}
	return used, Schedstat
}

// addThreads adds the threads of a process, and says whether it could. A thread
// that ends while it is being read is no longer part of the process.
func (p Proc) addThreads(threads map[int]time.Duration, pid int) bool {
	dir := filepath.Join(p.Root, strconv.Itoa(pid), "task")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return errors.Is(err, os.ErrNotExist)
	}
	for _, e := range entries {
		id, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name(), "schedstat"))
		if errors.Is(err, os.ErrNotExist) {
			if _, err := os.Stat(filepath.Join(dir, e.Name())); err == nil {
				return false // the thread is there and the file is not
			}
			continue
		}
		used, err := parseSchedstat(string(text))
		if err != nil {
			return false
		}
		threads[id] = used
	}
	return true
}

// parseSchedstat returns the first of three numbers: nanoseconds on a processor
// (Documentation/scheduler/sched-stats.rst).
func parseSchedstat(text string) (time.Duration, error) {
	fields := strings.Fields(text)
	if len(fields) < 3 {
		return 0, fmt.Errorf("cannot read %q as schedstat: it has %d fields and not 3", text, len(fields))
	}
	ns, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("cannot read %q as schedstat: %w", text, err)
	}
	return time.Duration(ns), nil
}

// stat is what matters here of one process's stat file.
type stat struct {
	pid, parent int
	used        time.Duration // user and system, with children that were waited for
}

// Positions of fields after the command's name, which is the second; proc(5)
// counts the state, the first after it, as number 3.
const (
	fieldParent = 4 - 3
	fieldUser   = 14 - 3 // utime, stime, cutime and cstime in a row
	fieldLast   = fieldUser + 3
)

// parseStat reads a stat file. The command's name stands in parentheses and may
// hold spaces and parentheses itself, so the last one ends it.
func parseStat(text string) (stat, error) {
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return stat{}, fmt.Errorf("cannot read %q as stat: there is no name in parentheses", text)
	}
	fields := strings.Fields(text[end+1:])
	if len(fields) <= fieldLast {
		return stat{}, fmt.Errorf("cannot read %q as stat: it has %d fields after the name", text, len(fields))
	}
	pid, err := strconv.Atoi(strings.TrimSpace(text[:open]))
	if err != nil {
		return stat{}, fmt.Errorf("cannot read %q as stat: %w", text, err)
	}
	parent, err := strconv.Atoi(fields[fieldParent])
	if err != nil {
		return stat{}, fmt.Errorf("cannot read %q as stat: %w", text, err)
	}
	s := stat{pid: pid, parent: parent}
	for _, f := range fields[fieldUser : fieldLast+1] {
		ticks, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return stat{}, fmt.Errorf("cannot read %q as stat: %w", text, err)
		}
		s.used += time.Duration(ticks) * time.Second / userHz
	}
	return s, nil
}

// tree returns a process and its living descendants.
func (p Proc) tree(root int) ([]stat, error) {
	entries, err := os.ReadDir(p.Root)
	if err != nil {
		return nil, fmt.Errorf("cannot read processor times, which only Linux has in %s: %w", p.Root, err)
	}
	children := make(map[int][]stat)
	var tree []stat
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		text, err := os.ReadFile(filepath.Join(p.Root, e.Name(), "stat"))
		if err != nil {
			continue // it has ended since the directory was read
		}
		s, err := parseStat(string(text))
		if err != nil {
			return nil, err
		}
		children[s.parent] = append(children[s.parent], s)
		if s.pid == root {
			tree = append(tree, s)
		}
	}
	if len(tree) == 0 {
		return nil, fmt.Errorf("cannot read the processor time of process %d: it has ended", root)
	}
	for i := 0; i < len(tree); i++ {
		tree = append(tree, children[tree[i].pid]...)
	}
	return tree, nil
}
