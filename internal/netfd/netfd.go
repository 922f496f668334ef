// Package netfd provides connections whose reads and writes cost less. It doesn't know what goes over them.
package netfd

import (
	"errors"
	"net"
)

// CloseWrite says that nothing more will be written to a connection.
func CloseWrite(c net.Conn) error {
	if w, ok := c.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return errors.ErrUnsupported
}
