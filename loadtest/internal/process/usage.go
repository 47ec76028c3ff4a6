package process

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Usage is what a process holds at one time.
type Usage struct {
	At    time.Time
	RSS   int64 // bytes of memory that it has in use
	Files int   // open descriptors
}

// errNoProc says that the system does not tell.
var errNoProc = errors.New("what a process uses is read from /proc, which only Linux has")

// usage reads what the process with this id uses now.
func usage(pid int) (Usage, error) {
	if runtime.GOOS != "linux" {
		return Usage{}, errNoProc
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Usage{}, fmt.Errorf("cannot read the memory of process %d: %w", pid, err)
	}
	rss, err := resident(string(status))
	if err != nil {
		return Usage{}, fmt.Errorf("cannot read the memory of process %d: %w", pid, err)
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return Usage{}, fmt.Errorf("cannot count the files of process %d: %w", pid, err)
	}
	return Usage{At: time.Now(), RSS: rss, Files: len(files)}, nil
}

// resident finds VmRSS, which proc(5) gives in kB, in a status file.
func resident(status string) (int64, error) {
	for line := range strings.Lines(status) {
		rest, ok := strings.CutPrefix(line, "VmRSS:")
		if !ok {
			continue
		}
		kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("VmRSS is %q: %w", rest, err)
		}
		return kb << 10, nil
	}
	return 0, errors.New("its status has no VmRSS: it has ended")
}
