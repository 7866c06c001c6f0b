// Package deploy_test proves what is deployed with flashd against the programs
// that will read it: Prometheus, systemd, and Debian's package tools.
package deploy_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// scratch is a folder for all tests.
var scratch string

// flashd builds the program once and returns its path.
var flashd = sync.OnceValues(func() (string, error) {
	bin := filepath.Join(scratch, "flashd")
	if out, err := exec.Command("go", "build", "-o", bin, "../cmd/flashd").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return bin, nil
})

func TestMain(m *testing.M) { os.Exit(inScratch(m.Run)) }

func inScratch(run func() int) int {
	var err error
	if scratch, err = os.MkdirTemp("", "flashd-deploy"); err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(scratch) }() // it is in the temporary folder
	return run()
}

// need returns the path of a program that a Debian package brings.
func need(t *testing.T, program, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("%s is not installed, and this test asks it: run make test, which installs the Debian package %s", program, debianPackage)
	}
	return path
}

// run runs a program to its end and returns what it printed.
func run(t *testing.T, stdin []byte, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(program), strings.Join(args, " "), err, out)
	}
	return string(out)
}

// startStation runs a station of simulated units until the test ends, and
// returns the address of its board and metrics.
func startStation(t *testing.T) (addr string) {
	t.Helper()
	bin, err := flashd()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	run(t, nil, bin, "image", "demo", "--images", filepath.Join(dir, "images"))
	cmd := exec.Command(bin, "serve", "--simulate", "2", "--instant", "--images", filepath.Join(dir, "images"),
		"--state-dir", filepath.Join(dir, "state"), "--listen", "127.0.0.1:0", "--log-format", "text")
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(t, cmd)
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		if _, url, ok := strings.Cut(lines.Text(), "board=http://"); ok {
			addr, _, _ = strings.Cut(url, "/")
			break
		}
	}
	if addr == "" {
		t.Fatal("the station did not start")
	}
	go func() { // it would wait for a reader
		for lines.Scan() {
		}
	}()
	return addr
}

// start runs cmd until the test ends.
func start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // it may have ended
		kill := time.AfterFunc(5*time.Second, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
		_ = cmd.Wait() // it was interrupted
	})
}
