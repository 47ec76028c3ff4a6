//go:build unix

package upstream

import "syscall"

// probes: nothingToRead can tell.
const probes = true

// nothingToRead reports whether a socket, which never blocks, has nothing to
// read, not even its end. What it has is lost.
func nothingToRead(fd uintptr) bool {
	var b [1]byte
	n, err := syscall.Read(int(fd), b[:])
	return n < 0 && (err == syscall.EAGAIN || err == syscall.EWOULDBLOCK)
}
