package serialport_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/creack/pty"

	"hoptech.co.nz/flashd/internal/serialport"
)

// The runtime's poller must never look at a tty: see openBytes.
func TestTTYIsNotInThePoller(t *testing.T) {
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	name := slave.Name()
	if err := slave.Close(); err != nil {
		t.Fatal(err)
	}
	port, err := serialport.Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer port.Close()
	ours := descriptorsOf(t, name)
	if len(ours) != 2 {
		t.Fatalf("%s is open as %v, want two descriptors", name, ours)
	}
	for _, fd := range polled(t) {
		if slices.Contains(ours, fd) {
			t.Errorf("descriptor %s of %s is in the poller", fd, name)
		}
	}
}

// descriptorsOf returns the numbers under which this process has path open.
func descriptorsOf(t *testing.T, path string) (fds []string) {
	t.Helper()
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && target == path {
			fds = append(fds, filepath.Base(link))
		}
	}
	return fds
}

// polled returns the numbers of all descriptors that are in an epoll set.
func polled(t *testing.T) (fds []string) {
	t.Helper()
	sets := descriptorsOf(t, "anon_inode:[eventpoll]")
	if len(sets) == 0 {
		t.Fatal("the runtime has no poller")
	}
	for _, set := range sets {
		info, err := os.ReadFile("/proc/self/fdinfo/" + set)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(info)) {
			var fd int
			if _, err := fmt.Sscanf(line, "tfd: %d", &fd); err == nil {
				fds = append(fds, fmt.Sprint(fd))
			}
		}
	}
	return fds
}
