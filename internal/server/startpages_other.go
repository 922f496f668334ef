//go:build !linux

package server

// releaseStartPages is for systems where it can be done.
func releaseStartPages() {}
