package hotplug

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Device is one board, seen from its USB port.
type Device struct {
	Path         string // topology path: "1-1.2"
	VID, PID     uint16 // of the bridge, or of the chip's own USB unit
	Serial       string // serial number string; "" if it has none. It names a unit only where VID is 303A
	Product      string // product string; "" if it has none
	TTY          string // "/dev/ttyACM0"; "" while no driver has made one
	Bus, Address int    // a board that enumerates again has another address
}

// ID returns the device's USB ID.
func (d Device) ID() ID { return ID{d.VID, d.PID} }

// An EventKind is Attach, Detach or Unusable.
type EventKind uint8

// The kinds of event.
const (
	Attach   EventKind = iota + 1 // a board is there and its tty can be opened
	Detach                        // it is gone, or another is in its place
	Unusable                      // something has been there for a while, of which no use can be made: see Event.Why
)

// String returns "attach", "detach" or "unusable".
func (k EventKind) String() string {
	switch k {
	case Attach:
		return "attach"
	case Detach:
		return "detach"
	case Unusable:
		return "unusable"
	default:
		return fmt.Sprintf("EventKind(%d)", uint8(k))
	}
}

// An Event is a board that came or went, or cannot be used.
type Event struct {
	Kind   EventKind
	Device Device
	Why    error // of Unusable
}

// A Lister says what is plugged in now, in any order.
type Lister interface {
	List(ctx context.Context) ([]Device, error)
}

// ComparePaths orders topology paths as a person would: 1-2 before 1-10, and a
// hub before what is plugged into it.
func ComparePaths(a, b string) int {
	return cmp.Or(slices.Compare(pathNumbers(a), pathNumbers(b)), strings.Compare(a, b))
}

func pathNumbers(path string) []int {
	fields := strings.FieldsFunc(path, func(r rune) bool { return r < '0' || r > '9' })
	numbers := make([]int, len(fields))
	for i, f := range fields {
		numbers[i], _ = strconv.Atoi(f) // digits; one too large sorts last among equals
	}
	return numbers
}

// Hub returns the path of the hub that the place at path is a port of: 1-1 for
// 1-1.2. A root hub is called as the kernel calls it: usb1 for 1-2.
func Hub(path string) string {
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		return path[:i]
	}
	bus, _, _ := strings.Cut(path, "-")
	return "usb" + bus
}

// ValidPath reports whether path is a topology path: BUS-PORT or
// BUS-PORT.PORT…, at most seven ports deep (six hubs and the board, USB 2.0
// section 4.1.1).
func ValidPath(path string) bool {
	bus, ports, ok := strings.Cut(path, "-")
	if !ok || !validNumber(bus) {
		return false
	}
	list := strings.Split(ports, ".")
	return len(list) <= 7 && !slices.ContainsFunc(list, func(s string) bool { return !validNumber(s) })
}

// validNumber reports whether s is a bus or port number as the kernel writes it.
func validNumber(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0 && s[0] != '0' && s[0] != '+'
}
