package netfd

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"unsafe"
)

// most is how much is read or written without telling the scheduler.
const most = 64 << 10

// Wrap returns a connection that does the same as another one of TCP or of a Unix socket, with less work.
//
// Its sockets don't block, so a read or a write takes microseconds. But waking the other side may take the processor
// away for longer, and then Go's scheduler, which was told of a system call, takes it for one that blocks, and starts
// another thread to go on: with a request that has four short system calls this costs more than all else. So these
// aren't announced to the scheduler; waiting is still up to it.
func Wrap(c net.Conn) net.Conn {
	s, ok := c.(syscall.Conn)
	if !ok {
		return c
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return c
	}
	w := &conn{Conn: c, raw: raw}
	w.in.again, w.out.again = w.in.read, w.out.write
	return w
}

// conn is a connection with a cheaper way through.
type conn struct {
	net.Conn
	raw     syscall.RawConn
	in, out transfer
}

// transfer is one direction. Its functions are made once, so that calls allocate nothing.
type transfer struct {
	mu    sync.Mutex
	p     []byte
	n     int
	errno syscall.Errno
	again func(fd uintptr) bool
}

// SyscallConn implements syscall.Conn.
func (c *conn) SyscallConn() (syscall.RawConn, error) { return c.raw, nil }

// CloseWrite says that nothing more will be written, as net.TCPConn and net.UnixConn do.
func (c *conn) CloseWrite() error { return CloseWrite(c.Conn) }

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	if len(p) == 0 || len(p) > most {
		return c.Conn.Read(p)
	}
	t := &c.in
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.do(p, c.raw.Read); err != nil {
		return 0, err
	}
	if t.errno != 0 {
		return 0, c.failed("read", t.errno)
	}
	if t.n == 0 {
		return 0, io.EOF
	}
	return t.n, nil
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	if len(p) == 0 || len(p) > most {
		return c.Conn.Write(p)
	}
	t := &c.out
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.do(p, c.raw.Write); err != nil {
		return t.n, err
	}
	if t.errno != 0 {
		return t.n, c.failed("write", t.errno)
	}
	return t.n, nil
}

func (t *transfer) do(p []byte, ready func(func(fd uintptr) bool) error) error {
	t.p, t.n, t.errno = p, 0, 0
	err := ready(t.again)
	t.p = nil
	return err
}

// read reads once; false has the scheduler wait until there is something.
func (t *transfer) read(fd uintptr) bool {
	for {
		n, errno := call(syscall.SYS_READ, fd, t.p)
		if errno == syscall.EAGAIN {
			return false
		}
		if errno != syscall.EINTR {
			t.n, t.errno = n, errno
			return true
		}
	}
}

// write writes all; false has the scheduler wait until there is room.
func (t *transfer) write(fd uintptr) bool {
	for t.n < len(t.p) {
		n, errno := call(syscall.SYS_WRITE, fd, t.p[t.n:])
		if errno == syscall.EAGAIN {
			return false
		}
		if errno != 0 && errno != syscall.EINTR {
			t.errno = errno
			return true
		}
		t.n += n
	}
	return true
}

func call(trap, fd uintptr, p []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(trap, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

func (c *conn) failed(op string, errno syscall.Errno) error {
	return &net.OpError{
		Op: op, Net: c.LocalAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: os.NewSyscallError(op, errno),
	}
}
