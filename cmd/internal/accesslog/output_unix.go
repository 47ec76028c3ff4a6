//go:build unix

package accesslog

import "syscall"

const nonBlocking = syscall.O_NONBLOCK
