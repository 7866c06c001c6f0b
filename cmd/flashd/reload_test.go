package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"hoptech.co.nz/flashd/jobs"
)

// A daemon takes up its changed configuration without losing a unit, and goes
// on as before if there is a mistake in it.
func TestReload(t *testing.T) {
	releases, _ := demoRelease(t)
	dir, listen := t.TempDir(), "127.0.0.1:0"
	config := filepath.Join(dir, "flashd.yaml")
	configure := func(text string) {
		if err := os.WriteFile(config, fmt.Appendf(nil, "listen: %s\nimages_dir: %s\nstate_dir: state\nlog: {format: text}\n%s\n", listen, releases, text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	configure("station: before")
	cmd := flashdProcess(t, dir, "serve", "--config", config, "--simulate", "2", "--instant")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no terminal
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	log := bufio.NewScanner(stderr)
	await := func(text string) {
		t.Helper()
		for log.Scan() {
			if strings.Contains(log.Text(), text) {
				return
			}
			if strings.Contains(log.Text(), "aborted") {
				t.Errorf("a unit was lost: %s", log.Text())
			}
		}
		t.Fatalf("the log ends before %q", text)
	}
	hangUp := func() {
		t.Helper()
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	await("outcome=pass")
	configure("station: 'broken")
	hangUp()
	await("the changed configuration is not used")
	configure("release: no-such")
	hangUp()
	await("the changed configuration is not used")
	configure("api: {token_file: none, cert_file: none, key_file: none}")
	hangUp()
	await("the changed configuration is not used")
	await("outcome=pass")
	taken, err := net.Listen("tcp", "127.0.0.1:0") // by another program
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	listen = taken.Addr().String()
	configure("station: elsewhere")
	hangUp()
	await("taking up the changed configuration")
	await("the changed configuration is not used")
	await(`msg="station started" station=before`)
	await("outcome=pass")
	listen = "127.0.0.1:0"
	configure("station: after")
	hangUp()
	await("taking up the changed configuration")
	await(`msg="station started" station=after`)
	await("outcome=pass")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, stderr) // what it says until it ends
	if err := cmd.Wait(); err != nil {
		t.Errorf("stopped, it ends with %v", err)
	}
	store := openStoreOf(t, filepath.Join(dir, "state"))
	defer store.Close()
	for a, err := range store.Attempts(jobs.Filter{Open: true}) {
		t.Errorf("left open: %+v, %v", a, err)
	}
}
