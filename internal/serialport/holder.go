package serialport

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A Process has a port open.
type Process struct {
	PID  int
	Name string // as the kernel has it: the first 15 bytes of the program's name
}

// String returns "ModemManager (process 812)".
func (p Process) String() string { return fmt.Sprintf("%s (process %d)", p.Name, p.PID) }

// Holders returns the processes that have the device at path open, this one
// included, by ascending PID. Without root it sees those of this user, and
// whoever has locked the port.
func Holders(path string) []Process {
	target := realPath(path)
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil // without /proc nobody can be named
	}
	owner := lockOwner(path)
	var found []Process
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil && (pid == owner || hasOpen(pid, target)) {
			found = append(found, Process{PID: pid, Name: nameOf(pid)})
		}
	}
	slices.SortFunc(found, func(a, b Process) int { return cmp.Compare(a.PID, b.PID) })
	return found
}

// hasOpen reports whether one of the process's descriptors is for target.
// Processes and descriptors come and go while we look: errors mean gone.
func hasOpen(pid int, target string) bool {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	fds, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(fds, func(fd os.DirEntry) bool {
		to, err := os.Readlink(filepath.Join(dir, fd.Name()))
		return err == nil && to == target
	})
}

// lockOwner returns the process that has the device at path locked by flock(2),
// or 0. Everybody may read /proc/locks, whose lines look like
//
//	12: FLOCK  ADVISORY  WRITE 812 00:05:388 0 EOF
//
// with the device's file system as hexadecimal major:minor, and its inode.
func lockOwner(path string) int {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0
	}
	file := fmt.Sprintf("%02x:%02x:%d", unix.Major(st.Dev), unix.Minor(st.Dev), st.Ino)
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(locks)) {
		if f := strings.Fields(line); len(f) >= 6 && f[1] == "FLOCK" && f[5] == file {
			pid, err := strconv.Atoi(f[4])
			if err == nil && pid > 0 {
				return pid
			}
		}
	}
	return 0
}

func nameOf(pid int) string {
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return "a process that just ended"
	}
	return strings.TrimSpace(string(comm))
}

// realPath follows links such as /dev/serial/by-path/….
func realPath(path string) string {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target
	}
	return filepath.Clean(path)
}
