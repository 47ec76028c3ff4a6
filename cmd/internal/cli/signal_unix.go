//go:build unix

package cli

import (
	"os"
	"os/signal"
	"syscall"
)

// reopenSignal says that the files of logs have been moved away, as it does to
// nginx. Nil: there is no such signal.
var reopenSignal os.Signal = syscall.SIGUSR1

// outlivePipes makes a write to a stdout or stderr that nobody reads any more an
// error, which it is for every other file. Else it would be the end of the
// process: a reader of the access log must not be able to end the proxy.
func outlivePipes() { signal.Ignore(syscall.SIGPIPE) }
