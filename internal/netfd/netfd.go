// Package netfd provides connections whose reads and writes cost less. It doesn't know what goes over them.
package netfd
