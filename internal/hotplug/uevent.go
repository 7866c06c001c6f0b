package hotplug

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// Multicast groups of NETLINK_KOBJECT_UEVENT. The kernel tells of a device as
// soon as it is there; udevd tells of it again once its rules, and with them
// the permissions, are in place. Without udevd the second group is silent.
const (
	groupKernel = 1
	groupUdev   = 2
)

// ueventBuffer is asked of the kernel as room for events that wait; a hub of 32
// boards makes some 400 of about 1 KiB within a second.
const ueventBuffer = 4 << 20

// Uevents returns a channel that wakes Watch whenever the kernel, or udevd,
// says that a USB device or tty came, went or changed. Wakes that nobody has
// taken are one. The channel is closed when ctx is done or the source fails.
func Uevents(ctx context.Context) (<-chan struct{}, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return nil, fmt.Errorf("listen to the kernel's uevents: %w", err)
	}
	f := os.NewFile(uintptr(fd), "uevents")
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groupKernel | groupUdev}); err != nil {
		return nil, errors.Join(fmt.Errorf("listen to the kernel's uevents: %w", err), f.Close())
	}
	// Beyond the limit for users where we may, up to it where not; either
	// way a lost event is found by the next listing.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, ueventBuffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, ueventBuffer)
	}
	return follow(ctx, f), nil
}

// follow reads messages from conn until ctx is done.
func follow(ctx context.Context, conn io.ReadCloser) <-chan struct{} {
	wake := make(chan struct{}, 1)
	hangUp := func() { _ = conn.Close() } // nothing was written to it
	stop := context.AfterFunc(ctx, hangUp)
	go func() {
		defer close(wake)
		defer func() {
			if stop() {
				hangUp()
			}
		}()
		message := make([]byte, 16<<10) // the kernel's are at most 2 KiB, udevd's 8 KiB
		for {
			n, err := conn.Read(message)
			lost := errors.Is(err, unix.ENOBUFS) // the buffer ran over
			if err != nil && !lost {
				return
			}
			if lost || concerns(message[:n]) {
				select {
				case wake <- struct{}{}:
				default: // one is waiting
				}
			}
		}
	}()
	return wake
}

// concerns reports whether a uevent is about a USB device or a tty.
func concerns(message []byte) bool {
	return slices.ContainsFunc(properties(message), func(p []byte) bool {
		name, value, _ := bytes.Cut(p, []byte("="))
		if string(name) != "SUBSYSTEM" {
			return false
		}
		switch string(value) {
		case "usb", "usb-serial", "tty":
			return true
		}
		return false
	})
}

// udevPrefix starts a message of udevd. Its header is struct
// udev_monitor_netlink_header of libudev: the prefix, a magic number, the
// header's size, then offset and length of the properties, 32 bits each.
var udevPrefix = []byte("libudev\x00")

// properties returns the NAME=VALUE strings of a message of the kernel, where
// they follow ACTION@PATH, or of udevd.
func properties(message []byte) [][]byte {
	if bytes.HasPrefix(message, udevPrefix) {
		if len(message) < 24 {
			return nil
		}
		start := binary.NativeEndian.Uint32(message[16:])
		length := binary.NativeEndian.Uint32(message[20:])
		if uint64(start)+uint64(length) > uint64(len(message)) {
			return nil
		}
		return bytes.Split(message[start:][:length], []byte{0})
	}
	header, rest, ok := bytes.Cut(message, []byte{0})
	if !ok || !bytes.Contains(header, []byte("@")) {
		return nil
	}
	return bytes.Split(rest, []byte{0})
}
