package usage

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Core returns for how long a core has been busy since the system started,
// whoever it worked for.
func (p Proc) Core(core int) (time.Duration, error) {
	text, err := os.ReadFile(filepath.Join(p.Root, "stat"))
	if err != nil {
		return 0, fmt.Errorf("cannot read what core %d does: %w", core, err)
	}
	return parseCore(string(text), core)
}

// idle are the positions of the times in which a core waits; the last two are
// within others (proc(5)).
var idle = map[int]bool{3: true, 4: true, 8: true, 9: true}

func parseCore(text string, core int) (time.Duration, error) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != "cpu"+strconv.Itoa(core) {
			continue
		}
		var busy time.Duration
		for i, f := range fields[1:] {
			ticks, err := strconv.ParseInt(f, 10, 64)
			if err != nil {
				return 0, fmt.Errorf("cannot read what core %d does: %w", core, err)
			}
			if !idle[i] {
				busy += time.Duration(ticks) * time.Second / userHz
			}
		}
		return busy, nil
	}
	return 0, fmt.Errorf("cannot read what core %d does: there is no such core", core)
}

// Allowed returns the cores that this process may run on.
func (p Proc) Allowed() ([]int, error) {
	text, err := os.ReadFile(filepath.Join(p.Root, "self", "status"))
	if err != nil {
		return nil, fmt.Errorf("cannot read which cores are allowed: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if list, ok := strings.CutPrefix(line, "Cpus_allowed_list:"); ok {
			return parseList(strings.TrimSpace(list))
		}
	}
	return nil, fmt.Errorf("cannot read which cores are allowed: %s does not say", p.Root)
}

// parseList reads a list as cpuset(7) has it: 0-2,7.
func parseList(list string) ([]int, error) {
	var cores []int
	for part := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(part, "-")
		from, err := strconv.Atoi(first)
		if err != nil {
			return nil, fmt.Errorf("cannot read %q as cores: %w", list, err)
		}
		to := from
		if isRange {
			if to, err = strconv.Atoi(last); err != nil {
				return nil, fmt.Errorf("cannot read %q as cores: %w", list, err)
			}
		}
		for c := from; c <= to; c++ {
			cores = append(cores, c)
		}
	}
	return cores, nil
}
