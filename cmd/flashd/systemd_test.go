package main

import (
	"io"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What systemd hears of a daemon that it starts, watches and stops.
func TestSystemdIsTold(t *testing.T) {
	releases, _ := demoRelease(t)
	dir := t.TempDir()
	socket := filepath.Join(dir, "notify")
	systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer systemd.Close()
	if err := systemd.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	cmd := flashdProcess(t, dir, "serve", "--simulate", "2", "--instant", "--images", releases, "--state-dir", filepath.Join(dir, "state"), "--listen", "127.0.0.1:0")
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+socket, "WATCHDOG_USEC=60000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}

	if first := hear(t, systemd); !strings.HasPrefix(first, "READY=1\nSTATUS=") || !strings.Contains(first, "of 2 slots working") {
		t.Errorf("the first word is %q", first)
	}
	for range 2 {
		if next := hear(t, systemd); !strings.HasPrefix(next, "WATCHDOG=1\nSTATUS=") {
			t.Errorf("then comes %q", next)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for hear(t, systemd) != "STOPPING=1" { // the deadline bounds it
	}
	go func() { // what it says until it ends: nobody else would make room for it
		_, _ = io.Copy(io.Discard, systemd)
	}()
	if err := cmd.Wait(); err != nil {
		t.Errorf("stopped, it ends with %v", err)
	}
}

func hear(t *testing.T, systemd *net.UnixConn) string {
	t.Helper()
	text := make([]byte, 4096)
	n, err := systemd.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(text[:n])
}
