package serialport_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/internal/serialport"
)

func TestMain(m *testing.M) {
	holdPort()
	goleak.VerifyTestMain(m)
}

// newPTY returns the chip's end of a pseudo-terminal and the path of ours.
func newPTY(t *testing.T) (chip *os.File, path string) {
	t.Helper()
	chip, ours, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	// While nobody has our end open, the chip's end reads EIO.
	closeAtEnd(t, ours, chip)
	return chip, ours.Name()
}

// closeAtEnd closes what the test may have closed by then.
func closeAtEnd(t *testing.T, closers ...io.Closer) {
	t.Cleanup(func() {
		for _, c := range closers {
			_ = c.Close()
		}
	})
}

// unplug takes the chip away.
func unplug(t *testing.T, chip io.Closer) {
	t.Helper()
	if err := chip.Close(); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, target string) flasher.Port {
	t.Helper()
	p, err := serialport.Open(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, p)
	return p
}

func TestBytesPassUnchanged(t *testing.T) {
	chip, path := newPTY(t)
	p := open(t, path)
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for _, way := range []struct {
		name     string
		from, to io.ReadWriter
	}{{"to the chip", p, chip}, {"from the chip", chip, p}} {
		if _, err := way.from.Write(all); err != nil {
			t.Fatalf("%s: %v", way.name, err)
		}
		got := make([]byte, len(all))
		if _, err := io.ReadFull(way.to, got); err != nil {
			t.Fatalf("%s: %v", way.name, err)
		}
		if !bytes.Equal(got, all) {
			t.Errorf("%s: got % x", way.name, got)
		}
	}
}

func TestSetBaudTakesAnyRate(t *testing.T) {
	_, path := newPTY(t)
	p := open(t, path)
	for _, baud := range []int{115200, 74880, 921600, 1843200, 3000000} {
		if err := p.SetBaud(baud); err != nil {
			t.Fatalf("%d: %v", baud, err)
		}
		if got := int(settingsOf(t, path).Ospeed); got != baud {
			t.Errorf("set %d, the kernel has %d", baud, got)
		}
	}
	for _, baud := range []int{0, -1} {
		if err := p.SetBaud(baud); err == nil {
			t.Errorf("%d baud was accepted", baud)
		}
	}
}

func TestOpensAsRawLine(t *testing.T) {
	_, path := newPTY(t)
	open(t, path)
	s := settingsOf(t, path)
	if s.Ospeed != 115200 {
		t.Errorf("%d baud, want 115200", s.Ospeed)
	}
	if s.Cflag&unix.HUPCL != 0 {
		t.Error("HUPCL is on: closing the port would reset the chip")
	}
	if s.Cflag&unix.CSIZE != unix.CS8 || s.Cflag&(unix.PARENB|unix.CSTOPB|unix.CRTSCTS) != 0 {
		t.Errorf("not 8N1 without flow control: cflag %o", s.Cflag)
	}
	if s.Lflag&(unix.ECHO|unix.ICANON|unix.ISIG) != 0 || s.Iflag&(unix.IXON|unix.ICRNL) != 0 || s.Oflag&unix.OPOST != 0 {
		t.Errorf("not raw: lflag %o iflag %o oflag %o", s.Lflag, s.Iflag, s.Oflag)
	}
}

func settingsOf(t *testing.T, path string) *unix.Termios {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, f)
	s, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS2)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPTYHasNoLines(t *testing.T) {
	_, path := newPTY(t)
	p := open(t, path)
	if err := p.SetLines(true, false); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got %v, want errors.ErrUnsupported", err)
	}
}

// prompt is what takes a tenth of a second, on a machine that is busy; what
// hangs would take half a minute, or for ever.
const prompt = 5 * time.Second

func TestVanishedDeviceIsDetached(t *testing.T) {
	for name, do := range map[string]func(flasher.Port) error{
		"read":  func(p flasher.Port) error { _, err := p.Read(make([]byte, 1)); return err },
		"write": func(p flasher.Port) error { _, err := p.Write([]byte("x")); return err },
		"baud":  func(p flasher.Port) error { return p.SetBaud(9600) },
	} {
		t.Run(name, func(t *testing.T) {
			chip, path := newPTY(t)
			p := open(t, path)
			unplug(t, chip)
			start := time.Now()
			wantDetached(t, do(p))
			if d := time.Since(start); d > prompt {
				t.Errorf("noticed after %v", d)
			}
		})
	}
}

func TestUnplugEndsPendingRead(t *testing.T) {
	chip, path := newPTY(t)
	p := open(t, path)
	result := make(chan error)
	go func() { _, err := p.Read(make([]byte, 1)); result <- err }()
	start := time.Now()
	unplug(t, chip)
	wantDetached(t, <-result)
	if d := time.Since(start); d > prompt {
		t.Errorf("noticed after %v", d)
	}
}

// What the chip said before it went is still read.
func TestLastWordsAreRead(t *testing.T) {
	chip, path := newPTY(t)
	p := open(t, path)
	if _, err := chip.WriteString("rst:0x1"); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 7)
	if _, err := io.ReadFull(p, b); err != nil || string(b) != "rst:0x1" {
		t.Errorf("got %q, %v", b, err)
	}
	unplug(t, chip)
	_, err := p.Read(b)
	wantDetached(t, err)
}

func wantDetached(t *testing.T, err error) {
	t.Helper()
	var d interface{ Detached() bool }
	if !errors.Is(err, flasher.Detached) || !errors.As(err, &d) || !d.Detached() {
		t.Errorf("got %v (%T), want a detached device", err, err)
	}
}

func TestCloseEndsPendingRead(t *testing.T) {
	_, path := newPTY(t)
	p := open(t, path)
	result := make(chan error)
	go func() { _, err := p.Read(make([]byte, 1)); result <- err }()
	start := time.Now()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-result; !errors.Is(err, os.ErrClosed) {
		t.Errorf("read: %v, want os.ErrClosed", err)
	}
	if d := time.Since(start); d > prompt {
		t.Errorf("took %v", d)
	}
}

func TestCloseEndsPendingWrite(t *testing.T) {
	chip, path := newPTY(t)
	p := open(t, path)
	result := make(chan error)
	// Nobody reads at the other end, so the kernel takes some 64 KiB and blocks.
	go func() { _, err := p.Write(make([]byte, 1<<20)); result <- err }()
	waitBytes(t, chip)
	start := time.Now()
	if err := p.Close(); err == nil {
		t.Error("Close says that the port is free while the kernel is stuck in the write")
	}
	if d := time.Since(start); d > prompt {
		t.Errorf("took %v", d)
	}
	if err := <-result; !errors.Is(err, os.ErrClosed) {
		t.Errorf("write: %v, want os.ErrClosed", err)
	}
	unplug(t, chip) // lets the kernel end the write that was given up
}

// waitBytes waits until bytes wait at the chip's end.
func waitBytes(t *testing.T, chip *os.File) {
	t.Helper()
	raw, err := chip.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if n, err := unix.Poll(p, 5000); n != 1 {
			t.Fatalf("poll: %d, %v", n, err)
		}
	}); err != nil {
		t.Fatal(err)
	}
}

func TestClosedPortSaysSo(t *testing.T) {
	_, path := newPTY(t)
	p := open(t, path)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	_, readErr := p.Read(make([]byte, 1))
	_, writeErr := p.Write([]byte("x"))
	for op, err := range map[string]error{
		"read": readErr, "write": writeErr, "baud": p.SetBaud(9600), "lines": p.SetLines(true, true), "close": p.Close(),
	} {
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s: %v, want os.ErrClosed", op, err)
		}
	}
}

func TestOpenRefusesWhatIsNoPort(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		target, want string
	}{
		{file, "not a serial port"},
		{file + "-none", "no such file"},
		{"gopher://localhost:1", "unknown scheme"},
		{"socket://localhost", "write socket://HOST:PORT"},
		{"socket://:7000", "write socket://HOST:PORT"},
		{"socket://localhost:7000/x", "write socket://HOST:PORT"},
		{"socket://localhost:7000?timeout=1", "takes no options"},
		{"rfc2217://localhost:7000?timeout=soon", "number of seconds"},
		{"rfc2217://localhost:7000?logging=debug", "unknown option"},
		{"socket://%zz", "invalid URL escape"},
	}
	for _, tt := range tests {
		_, err := serialport.Open(t.Context(), tt.target)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want …%s…", tt.target, err, tt.want)
		}
	}
	if _, err := serialport.Open(t.Context(), file); !errors.Is(err, unix.ENOTTY) {
		t.Errorf("got %v, want ENOTTY", err)
	}
	if _, err := serialport.Open(t.Context(), file+"-none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
}

// A thousand insertions must leave no descriptor behind; goleak looks for
// goroutines at the end.
func TestCyclesLeakNothing(t *testing.T) {
	cycle := func() {
		chip, ours, err := pty.Open()
		if err != nil {
			t.Fatal(err)
		}
		p, err := serialport.Open(t.Context(), ours.Name())
		if err != nil {
			t.Fatal(err)
		}
		unplug(t, chip)
		_, err = p.Read(make([]byte, 1))
		wantDetached(t, err)
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if err := ours.Close(); err != nil {
			t.Fatal(err)
		}
	}
	cycle()
	before := countFDs(t)
	for range 1000 {
		cycle()
	}
	if after := countFDs(t); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func countFDs(t *testing.T) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}
