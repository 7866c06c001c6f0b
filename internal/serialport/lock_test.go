package serialport_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"hoptech.co.nz/flashd/internal/serialport"
)

// holdPort turns this test binary into a process that holds a port, as another
// serial tool would, until its standard input ends.
func holdPort() {
	path := os.Getenv("HOLD_PORT")
	if path == "" {
		return
	}
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err == nil {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	fmt.Println(err)
	_, _ = os.Stdin.Read(make([]byte, 1)) // ends with this process's parent at the latest
	os.Exit(0)
}

// hold starts a process that holds path and returns its PID.
func hold(t *testing.T, path string) int {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "HOLD_PORT="+path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = in.Close(), cmd.Wait() })
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "<nil>\n" {
		t.Fatalf("the holder says %q", line)
	}
	return cmd.Process.Pid
}

func TestHeldPortNamesItsHolder(t *testing.T) {
	_, path := newPTY(t)
	pid := hold(t, path)
	_, err := serialport.Open(t.Context(), path)
	if !errors.Is(err, serialport.ErrBusy) {
		t.Fatalf("got %v, want ErrBusy", err)
	}
	// This process has the chip's end open, and so the port too.
	holders := serialport.Holders(path)
	var found bool
	for _, h := range holders {
		if h.PID == pid {
			found = true
			if want := filepath.Base(os.Args[0])[:10]; !strings.HasPrefix(h.Name, want) {
				t.Errorf("name %q, want %s…", h.Name, want)
			}
		}
	}
	if !found {
		t.Errorf("process %d is not among %v", pid, holders)
	}
}

func TestSecondOpenIsBusy(t *testing.T) {
	_, path := newPTY(t)
	p := open(t, path)
	_, err := serialport.Open(t.Context(), path)
	if !errors.Is(err, serialport.ErrBusy) || !strings.Contains(err.Error(), "this process") {
		t.Fatalf("got %v, want ErrBusy by this process", err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, path)
}

// An alias, such as those under /dev/serial, is the same port.
func TestHoldersFollowLinks(t *testing.T) {
	_, path := newPTY(t)
	alias := filepath.Join(t.TempDir(), "alias")
	if err := os.Symlink(path, alias); err != nil {
		t.Fatal(err)
	}
	pid := hold(t, path)
	for _, h := range serialport.Holders(alias) {
		if h.PID == pid {
			return
		}
	}
	t.Errorf("process %d does not hold %s", pid, alias)
}
