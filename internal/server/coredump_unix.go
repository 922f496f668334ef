//go:build unix

package server

import "golang.org/x/sys/unix"

// noCoreDump asks for no dump of the process's memory, in which secrets are, when it crashes. Where it can't be asked for,
// nothing is lost but that.
func noCoreDump() { _ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}) }
