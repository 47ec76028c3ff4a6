//go:build !386

package lane

import (
	"errors"
	"net"
	"runtime"
	"syscall"
	"unsafe"
)

// socket reads and writes a TCP socket without waiting. What it spares over
// net.Conn is a system call a request: the read that finds nothing, before the
// goroutine is put to sleep. The kernel says with each read whether there is
// more, the end of the stream included (TCP_INQ).
//
// Reads and small writes do not tell the scheduler: they never block, and are
// over before it would look.
type socket struct {
	raw syscall.RawConn

	message syscall.Msghdr
	vectors [2]syscall.Iovec
	control [inqSpace]byte
}

const (
	// tcpINQ is TCP_INQ and TCP_CM_INQ of linux/tcp.h, since Linux 4.18.
	tcpINQ = 36
	// inqSpace holds one control message with an int32, with room to spare.
	inqSpace = 32
)

// newSocket returns the socket of c, or nil where it has none that can say what
// is to be read.
func newSocket(c syscall.Conn) *socket {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	if controlErr := raw.Control(func(fd uintptr) {
		protocol, failed := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_PROTOCOL)
		if failed != nil || protocol != syscall.IPPROTO_TCP { // a listener may have accepted MPTCP
			err = syscall.ENOTSUP
			return
		}
		err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpINQ, 1)
	}); controlErr != nil || err != nil {
		return nil
	}
	return &socket{raw: raw}
}

// read reads what is there. more says that the next read finds something too.
// syscall.EAGAIN means that nothing is there.
func (s *socket) read(fd uintptr, p []byte) (n int, more bool, errno syscall.Errno) {
	s.vectors[0].Base = unsafe.SliceData(p)
	s.vectors[0].SetLen(len(p))
	s.message.Iov, s.message.Iovlen = &s.vectors[0], 1
	s.message.Control = &s.control[0]
	s.message.SetControllen(len(s.control))
	var got uintptr
	for {
		got, _, errno = syscall.RawSyscall(syscall.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&s.message)), 0)
		if errno != syscall.EINTR {
			break
		}
	}
	runtime.KeepAlive(p)
	s.vectors[0].Base = nil
	if errno != 0 {
		return 0, false, errno
	}
	return int(got), s.inq() != 0, 0
}

// readPlain is read without word of what is left.
func (s *socket) readPlain(fd uintptr, p []byte) (n int, errno syscall.Errno) {
	var got uintptr
	for {
		got, _, errno = syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		if errno != syscall.EINTR {
			break
		}
	}
	runtime.KeepAlive(p)
	if errno != 0 {
		return 0, errno
	}
	return int(got), 0
}

// inq returns how many bytes were left to read, and 1 for the end of the stream.
// Where the kernel does not say, something is left: that costs a read more.
func (s *socket) inq() int32 {
	const header = int(unsafe.Sizeof(syscall.Cmsghdr{}))
	h := (*syscall.Cmsghdr)(unsafe.Pointer(&s.control[0]))
	if int(s.message.Controllen) < header+4 || h.Level != syscall.IPPROTO_TCP || h.Type != tcpINQ {
		return 1
	}
	return *(*int32)(unsafe.Pointer(&s.control[header]))
}

// write writes as much of head and body as the client takes at once. An error is
// the next writer's to find out again.
func (s *socket) write(fd uintptr, head, body []byte) (n int) {
	if len(body) == 0 && len(head) <= 2*maxOut {
		wrote, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, fd,
			uintptr(unsafe.Pointer(unsafe.SliceData(head))), uintptr(len(head)), syscall.MSG_NOSIGNAL, 0, 0)
		runtime.KeepAlive(head)
		if errno != 0 {
			return 0
		}
		return int(wrote)
	}
	s.vectors[0].Base, s.vectors[1].Base = unsafe.SliceData(head), unsafe.SliceData(body)
	s.vectors[0].SetLen(len(head))
	s.vectors[1].SetLen(len(body))
	count := uintptr(1)
	if len(body) > 0 {
		count = 2
	}
	wrote, _, errno := syscall.Syscall(syscall.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&s.vectors[0])), count)
	runtime.KeepAlive(head)
	runtime.KeepAlive(body)
	s.vectors[0].Base, s.vectors[1].Base = nil, nil
	if errno != 0 {
		return 0
	}
	return int(wrote)
}

// readError is what a net.Conn's Read returns for err.
func readError(err error) error {
	if op := (*net.OpError)(nil); errors.As(err, &op) { // of the raw connection
		err = op.Err
	}
	return &net.OpError{Op: "read", Net: "tcp", Err: err}
}
