package accesslog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// The paths that are no files.
const (
	stdout = "stdout"
	stderr = "stderr"
)

func standard(path string) bool { return path == stdout || path == stderr }

// output is where lines go.
type output struct {
	file *os.File
	keep bool // it is not ours to close
	torn bool // the last write ended within a line
}

// open opens a path for appending. A pipe needs a reader.
func open(path string) (*output, error) {
	switch path {
	case stdout:
		return &output{file: os.Stdout, keep: true}, nil
	case stderr:
		return &output{file: os.Stderr, keep: true}, nil
	}
	// Without nonBlocking this would wait for the reader of a pipe.
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|nonBlocking, 0o640) //nolint:gosec // the operator names it
	switch {
	case err == nil:
		return &output{file: f}, nil
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("cannot open the access log: there is no directory %s: make it, writable for this user", filepath.Dir(path))
	case errors.Is(err, syscall.ENXIO):
		return nil, fmt.Errorf("cannot open the access log: nobody reads the pipe %s: start its reader first (for the process's own output write path: stdout)", path)
	}
	return nil, fmt.Errorf("cannot open the access log: %w: it must be a file that this user may append to", err)
}

// write writes whole lines. lost is how many of them did not get out whole. A
// line that was torn before is ended first.
func (o *output) write(p []byte) (lost int, err error) {
	if o.torn {
		if _, err = o.file.Write([]byte{'\n'}); err != nil {
			return lines(p), err
		}
		o.torn = false
	}
	n, err := o.file.Write(p)
	if err != nil {
		o.torn = n > 0 && p[n-1] != '\n'
		return lines(p[n:]), err
	}
	return 0, nil
}

// lines counts the ends of lines.
func lines(p []byte) (n int) {
	for _, c := range p {
		if c == '\n' {
			n++
		}
	}
	return n
}

// interrupt ends a write that waits, where the system can do that: for a pipe
// that was opened by its name. It reports whether it can.
func (o *output) interrupt() bool {
	return !o.keep && o.file.SetWriteDeadline(time.Now()) == nil
}

func (o *output) close() error {
	if o.keep {
		return nil
	}
	return o.file.Close()
}
