package embedded

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// settle deals with what a server that wasn't stopped has left of a cluster: the server itself, or its pid, which may
// since be another process'. It is for the holder of the data directory's lock.
func (l layout) settle(ctx context.Context) error {
	if err := l.stopOrphan(ctx); err != nil {
		return err
	}
	// Nothing listens at these sockets any more, but their lock files may name a pid that is in use.
	left, err := filepath.Glob(filepath.Join(l.sockets, ".s.PGSQL.*"))
	for _, path := range left {
		_ = os.Remove(path)
	}
	return err
}

func (l layout) stopOrphan(ctx context.Context) error {
	data, err := os.ReadFile(l.pidFile())
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	first, rest, _ := bytes.Cut(data, []byte("\n"))
	pid, _ := strconv.Atoi(string(bytes.TrimSpace(first)))
	switch {
	case pid <= 1 || !alive(pid):
		return nil // PostgreSQL itself sees that it is stale
	case servesFrom(ctx, pid, l.cluster):
		return l.stopProcess(ctx, pid)
	}
	// The pid is a stranger's. PostgreSQL would take it for a server; its parent's pid it knows to be none, and it goes on
	// to check that no old backend still uses the shared memory that the rest of the file names.
	return l.account.WriteFile(l.pidFile(), fmt.Appendf(nil, "%d\n%s", os.Getpid(), rest))
}

func alive(pid int) bool { err := syscall.Kill(pid, 0); return err == nil || err == syscall.EPERM }

// servesFrom tells whether a process is a server of the cluster: it has made the cluster's folder its own.
func servesFrom(ctx context.Context, pid int, cluster string) bool {
	dir, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	if err == nil {
		return dir == cluster
	}
	if _, err := os.Stat("/proc/self/cwd"); err == nil {
		return false // it can't be looked into, so it runs as another user or is dead
	}
	out, err := exec.CommandContext(ctx, "ps", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && strings.Contains(string(out), "-D "+cluster)
}

func (l layout) stopProcess(ctx context.Context, pid int) error {
	if err := syscall.Kill(pid, syscall.SIGINT); err != nil {
		return fmt.Errorf("stop the server of an earlier run, process %d: %w", pid, err)
	}
	for alive(pid) && servesFrom(ctx, pid, l.cluster) { // a zombie serves nothing
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server of an earlier run, process %d, doesn't stop: %w", pid, context.Cause(ctx))
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}
