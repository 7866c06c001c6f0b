package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hoptech.co.nz/flashd/flasher/espsim"
)

// simulate runs `flashd simulate` with arguments until the test ends, and
// returns the line that it prints.
func simulate(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	app := newApp()
	app.Writer = in
	ended := make(chan error, 1)
	go func() {
		err := app.RunContext(ctx, append([]string{"flashd", "simulate"}, args...))
		ended <- errors.Join(err, in.CloseWithError(err))
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("flashd simulate: %v", err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("flashd simulate printed %q: %v", line, err)
	}
	return strings.TrimSpace(line)
}

// syncs fails the test unless a chip in download mode answers on rw.
func syncs(t *testing.T, rw io.ReadWriter) {
	t.Helper()
	if _, err := rw.Write([]byte("\xc0\x00\x08\x24\x00\x00\x00\x00\x00\x07\x07\x12\x20" + strings.Repeat("U", 32) + "\xc0")); err != nil {
		t.Fatal(err)
	}
	answer := []byte("\xc0\x01\x08\x04\x00\x07\x07\x12\x20")
	var got []byte
	for buf := make([]byte, 256); !bytes.Contains(got, answer); {
		n, err := rw.Read(buf)
		if err != nil {
			t.Fatalf("no answer to SYNC, but %q: %v", got, err)
		}
		got = append(got, buf[:n]...)
	}
}

func TestSimulateSocket(t *testing.T) {
	flash := filepath.Join(t.TempDir(), "unit.bin")
	where := simulate(t, "--chip", "esp32c3", "--flash", flash, "--flash-size", "4MB", "--fast", "--listen", "127.0.0.1:0")
	address, ok := strings.CutPrefix(where, "socket://")
	if !ok {
		t.Fatalf("it prints %q, want socket://ADDRESS", where)
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	syncs(t, conn)
	if content, err := os.ReadFile(flash); err != nil || !bytes.Equal(content, bytes.Repeat([]byte{0xFF}, 4<<20)) {
		t.Errorf("the new flash image is not blank: %d bytes, %v", len(content), err)
	}
}

func TestSimulatePTY(t *testing.T) {
	tty, err := os.OpenFile(simulate(t, "--pty"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tty.Close() }()
	if err := tty.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	syncs(t, tty)
}

func TestSimulateRFC2217(t *testing.T) {
	if where := simulate(t, "--usb-jtag", "--rfc2217", "127.0.0.1:0"); !strings.HasPrefix(where, "rfc2217://127.0.0.1:") {
		t.Errorf("it prints %q", where)
	}
}

func TestSimulateUsage(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{}, "needs one of --pty"},
		{[]string{"--pty", "--listen", "127.0.0.1:0"}, "needs one of --pty"},
		{[]string{"--pty", "extra"}, "takes no arguments"},
		{[]string{"--pty", "--chip", "esp8266"}, "--chip esp8266: not a chip that can be simulated; choose from esp32, "},
		{[]string{"--pty", "--mac", "A1B2"}, "--mac: MAC \"A1B2\""},
		{[]string{"--pty", "--flash-size", "big"}, "--flash-size: \"big\": want a size such as 8MB"},
		{[]string{"--pty", "--flash-size", "3MB"}, "--flash-size: flash size 3145728: want 1, 2, 4"},
		{[]string{"--pty", "--chip", "esp32", "--usb-jtag"}, "--usb-jtag: esp32 has no USB-Serial/JTAG unit"},
		{[]string{"--pty", "--fault", "explode"}, "unknown kind \"explode\""},
		{[]string{"--pty", "--fault", "drop,op=3"}, "unknown field \"op\"; drop takes byte"},
	} {
		err := newApp().RunContext(t.Context(), append([]string{"flashd", "simulate"}, tc.args...))
		var ee *exitError
		if !errors.As(err, &ee) || ee.code != exitUsage || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q: %v, want a usage error with %q", tc.args, err, tc.want)
		}
	}
}

// TestSimulateFaultHelp: asking for the kinds of fault is no mistake.
func TestSimulateFaultHelp(t *testing.T) {
	var out bytes.Buffer
	app := newApp()
	app.Writer = &out
	if err := app.RunContext(t.Context(), []string{"flashd", "simulate", "--fault", "help"}); err != nil {
		t.Fatal(err)
	}
	for _, u := range espsim.FaultUsages() {
		if !strings.Contains(out.String(), string(u.Kind)) || !strings.Contains(out.String(), u.Effect) {
			t.Errorf("%s is not explained:\n%s", u.Kind, out.String())
		}
	}
}

// TestSimulateFault gives a fault several fields and a second fault beside it.
func TestSimulateFault(t *testing.T) {
	where := simulate(t, "--fast", "--fault", "reject,op=0x0A,nth=2,value=6", "--fault", "stall,op=0x0A,nth=9,for=1h", "--listen", "127.0.0.1:0")
	conn, err := net.Dial("tcp", strings.TrimPrefix(where, "socket://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	syncs(t, conn)
	read := "\xc0\x00\x0a\x04\x00\x00\x00\x00\x00\x00\x10\x00\x40\xc0"
	if _, err := io.WriteString(conn, read+read); err != nil {
		t.Fatal(err)
	}
	// The answers to READ_REG end in their status: good, then failed for reason 6.
	var got []byte
	for buf := make([]byte, 256); bytes.Count(got, []byte("\xc0\x01\x0a")) < 2 || !bytes.HasSuffix(got, []byte("\xc0")); {
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatalf("got %x: %v", got, err)
		}
		got = append(got, buf[:n]...)
	}
	if !bytes.HasSuffix(got, []byte("\x01\x06\x00\x00\xc0")) {
		t.Errorf("the second READ_REG was not refused: %x", got)
	}
}
