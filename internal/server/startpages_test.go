//go:build linux

package server

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestReleaseStartPages has the program go on with less of its file in memory.
func TestReleaseStartPages(t *testing.T) {
	before := fileMemory(t)
	releaseStartPages()
	if after := fileMemory(t); after >= before {
		t.Errorf("%d kB of files in memory, %d before", after, before)
	}
	if _, _, ok := programPages("00400000-00500000 rw-p 00000000 fd:00 1 /bin/tarn", "/bin/tarn"); ok {
		t.Error("what can be written to would be lost")
	}
}

func fileMemory(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "RssFile:")
	text, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
