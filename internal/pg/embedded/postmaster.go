package embedded

import (
	"context"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// postmaster is the running server process.
type postmaster struct {
	pid    int
	exited chan struct{} // closed when it ended
	err    error         // how it ended; to be read after that
}

// startPostmaster starts the server. Where the system can do it, the server stops when this process is gone: the kernel
// ties that to the thread that started it, so that thread does nothing else but to wait.
func startPostmaster(cmd *exec.Cmd) (*postmaster, error) {
	p := &postmaster{exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		stopWithParent(cmd.SysProcAttr)
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.exited)
	}()
	return p, <-started
}

// stop ends the server: sessions are cut and everything is written. When the context ends before, recovery is left to
// the next start.
func (p *postmaster) stop(ctx context.Context) error {
	const hurry = 5 * time.Second
	if p.signal(ctx, syscall.SIGINT) {
		return nil
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), hurry)
	defer cancel()
	if !p.signal(last, syscall.SIGQUIT) {
		_ = syscall.Kill(p.pid, syscall.SIGKILL)
		<-p.exited
	}
	return context.Cause(ctx)
}

// signal sends a signal and tells whether the server ended before the context did.
func (p *postmaster) signal(ctx context.Context, sig syscall.Signal) bool {
	select {
	case <-p.exited: // its pid may be another's by now
		return true
	default:
	}
	_ = syscall.Kill(p.pid, sig)
	select {
	case <-p.exited:
		return true
	case <-ctx.Done():
		return false
	}
}
