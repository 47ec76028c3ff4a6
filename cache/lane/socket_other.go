//go:build !linux || 386

package lane

import "syscall"

// socket is for Linux, but on 386, where one system call stands for all that
// sockets do: elsewhere a Conn goes through its Transport.
type socket struct{ raw syscall.RawConn }

func newSocket(syscall.Conn) *socket { return nil }

func (*socket) write(uintptr, []byte, []byte) int { return 0 }
func readError(err error) error                   { return err }

func (*socket) read(uintptr, []byte) (n int, more bool, errno syscall.Errno) {
	return 0, false, syscall.EAGAIN
}

func (*socket) readPlain(uintptr, []byte) (int, syscall.Errno) { return 0, syscall.EAGAIN }
