package http1

import (
	"net"
	"sync"

	"github.com/tarn-data/tarn/internal/netfd"
)

// handover is a listener whose connections come from a server that has read the beginning of what they say.
type handover struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newHandover() *handover {
	return &handover{conns: make(chan net.Conn), done: make(chan struct{})}
}

// from is the same with an address.
func (h *handover) from(addr net.Addr) net.Listener { return &handoverFrom{h, addr} }

type handoverFrom struct {
	*handover
	addr net.Addr
}

// Addr implements net.Listener.
func (h *handoverFrom) Addr() net.Addr { return h.addr }

// Accept implements net.Listener.
func (h *handover) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (h *handover) Close() error {
	h.once.Do(func() { close(h.done) })
	return nil
}

// pass passes a connection on, of which something was read already.
func (h *handover) pass(c net.Conn, read []byte) {
	select {
	case h.conns <- &reread{Conn: c, read: read}:
	case <-h.done:
		_ = c.Close()
	}
}

// reread is a connection that begins with what was read of it already. It is read by one at a time.
type reread struct {
	net.Conn
	read []byte
}

// CloseWrite is for net/http, which waits for a while between that and the end.
func (c *reread) CloseWrite() error { return netfd.CloseWrite(c.Conn) }

// Read implements net.Conn.
func (c *reread) Read(p []byte) (int, error) {
	if len(c.read) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.read)
	c.read = c.read[n:]
	return n, nil
}
