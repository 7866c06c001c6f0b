package hotplug

import (
	"context"
	"encoding/binary"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/sys/unix"
)

// kernelMessage is what the kernel sends: ACTION@PATH, then NAME=VALUE strings.
func kernelMessage(header string, properties ...string) []byte {
	return []byte(header + "\x00" + strings.Join(properties, "\x00") + "\x00")
}

// udevMessage is what udevd sends, with the header of libudev-monitor.c.
func udevMessage(properties ...string) []byte {
	body := strings.Join(properties, "\x00") + "\x00"
	m := []byte("libudev\x00")
	m = binary.BigEndian.AppendUint32(m, 0xFEEDCAFE)
	for _, v := range []uint32{40, 40, uint32(len(body)), 0, 0, 0, 0} {
		m = binary.NativeEndian.AppendUint32(m, v)
	}
	return append(m, body...)
}

func TestConcerns(t *testing.T) {
	short := udevMessage("SUBSYSTEM=tty")
	tests := []struct {
		name    string
		message []byte
		want    bool
	}{
		{"usb device", kernelMessage("add@/devices/pci0000:00/0000:00:14.0/usb1/1-1", "ACTION=add", "SUBSYSTEM=usb", "DEVTYPE=usb_device"), true},
		{"tty", kernelMessage("add@/devices/…/1-1:1.0/tty/ttyACM0", "ACTION=add", "SUBSYSTEM=tty", "DEVNAME=ttyACM0"), true},
		{"usb-serial", kernelMessage("add@/devices/…/ttyUSB0", "SUBSYSTEM=usb-serial"), true},
		{"disk", kernelMessage("change@/devices/virtual/block/loop0", "ACTION=change", "SUBSYSTEM=block"), false},
		{"usb in another place", kernelMessage("add@/devices/usb", "DEVPATH=SUBSYSTEM=usb"), false},
		{"udev tty", udevMessage("ACTION=add", "SUBSYSTEM=tty"), true},
		{"udev disk", udevMessage("ACTION=add", "SUBSYSTEM=block"), false},
		{"udev cut short", short[:len(short)-3], false},
		{"udev header alone", []byte("libudev\x00\xFE\xED"), false},
		{"nothing", nil, false},
		{"noise", []byte("SUBSYSTEM=usb"), false},
	}
	for _, tt := range tests {
		if got := concerns(tt.message); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func FuzzConcerns(f *testing.F) {
	f.Add(kernelMessage("add@/devices/x", "SUBSYSTEM=usb"))
	f.Add(udevMessage("SUBSYSTEM=tty"))
	f.Add([]byte("libudev\x00\xfe\xed\xca\xfe\x28\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, message []byte) {
		if concerns(message) && !strings.Contains(string(message), "SUBSYSTEM=") {
			t.Errorf("%q concerns us", message)
		}
	})
}

// script is a netlink socket that delivers what it is told.
type script struct {
	reads  chan any // []byte or error
	closed chan struct{}
}

func (s *script) Read(b []byte) (int, error) {
	select {
	case r := <-s.reads:
		if err, ok := r.(error); ok {
			return 0, err
		}
		return copy(b, r.([]byte)), nil
	case <-s.closed:
		return 0, os.ErrClosed
	}
}

func (s *script) Close() error { close(s.closed); return nil }

func TestFollow(t *testing.T) {
	usb := kernelMessage("add@/x", "SUBSYSTEM=usb")
	tests := []struct {
		name  string
		reads []any
		wakes bool
		ends  bool
	}{
		{"usb", []any{usb}, true, false},
		{"many are one", []any{usb, usb, usb}, true, false},
		{"other", []any{kernelMessage("add@/x", "SUBSYSTEM=block")}, false, false},
		{"overrun", []any{unix.ENOBUFS}, true, false},
		{"end", []any{io.ErrUnexpectedEOF}, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				s := &script{make(chan any), make(chan struct{})}
				wake := follow(ctx, s)
				for _, r := range tt.reads {
					s.reads <- r
				}
				synctest.Wait()
				woken, ended := false, false
				select {
				case _, open := <-wake:
					woken, ended = open, !open
				default:
				}
				if woken != tt.wakes || ended != tt.ends {
					t.Errorf("woken %v, ended %v", woken, ended)
				}
				cancel()
				synctest.Wait()
				if _, open := <-wake; open {
					t.Error("a second wake, or no end")
				}
				select {
				case <-s.closed:
				default:
					t.Error("the socket is still open")
				}
			})
		})
	}
}

// The kernel takes the socket, and it is closed with its context.
func TestUeventsOpens(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	wake, err := Uevents(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	for range wake { // ends when the channel is closed
	}
}
