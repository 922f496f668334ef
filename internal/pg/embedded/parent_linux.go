package embedded

import "syscall"

// stopWithParent has the server stopped when the thread that starts it ends.
func stopWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGINT }
