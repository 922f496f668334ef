//go:build !linux

package embedded

import "syscall"

// stopWithParent does nothing: here an orphan runs on until the next start stops it.
func stopWithParent(*syscall.SysProcAttr) {}
