//go:build unix

package netfd

import (
	"errors"
	"net"
	"syscall"
)

// Peek waits until there is something to read and tells whether that is anything but the end. It reads nothing, and ends
// with the next thing that arrives; meanwhile others wait who read.
func Peek(c net.Conn) (more bool, err error) {
	s, ok := c.(syscall.Conn)
	if !ok {
		return true, errors.ErrUnsupported
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return true, err
	}
	var cause error
	err = raw.Read(func(fd uintptr) bool {
		var b [1]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		if errors.Is(err, syscall.EAGAIN) {
			return false
		}
		more, cause = n > 0, err
		return true
	})
	if err == nil {
		err = cause
	}
	return more, err
}
