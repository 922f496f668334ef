//go:build unix

package pg

import (
	"crypto/tls"
	"net"
	"syscall"
)

// quiet tells whether there is nothing to read from an idle connection: what a server says unasked is most often that it
// has closed it. Where that can't be seen, it counts as quiet.
func quiet(conn net.Conn) bool {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	c, ok := conn.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return true
	}
	silent := true
	// Not raw.Read: the driver may have a read going on, which that would wait for.
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		silent = err == syscall.EAGAIN || err == syscall.EWOULDBLOCK || err == syscall.EINTR
	})
	return err != nil || silent
}
