package hotplug

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// An ID is the vendor and product ID of a USB device.
type ID struct{ VID, PID uint16 }

// String returns the ID as "303A:1001".
func (id ID) String() string { return fmt.Sprintf("%04X:%04X", id.VID, id.PID) }

// ParseID reads an ID written as four hexadecimal digits, a colon and four
// more, as lsusb prints it.
func ParseID(s string) (ID, error) {
	vid, pid, ok := strings.Cut(s, ":")
	v, errV := strconv.ParseUint(vid, 16, 16)
	p, errP := strconv.ParseUint(pid, 16, 16)
	if !ok || errV != nil || errP != nil || len(vid) != 4 || len(pid) != 4 {
		return ID{}, fmt.Errorf("USB ID %q: write it as lsusb does, for example 303a:1001", s)
	}
	return ID{uint16(v), uint16(p)}, nil
}

// Espressif is the vendor ID of the chips' own USB units: USB-Serial/JTAG is
// product 1001, the ROM's USB-OTG console has the chip ID as its product.
const Espressif = 0x303A

// bridges are the USB-to-UART bridges found on boards and programmers.
var bridges = []ID{
	{0x10C4, 0xEA60}, // Silicon Labs CP2102, CP2102N, CP2104
	{0x1A86, 0x7523}, // WCH CH340
	{0x1A86, 0x55D3}, // WCH CH343
	{0x1A86, 0x55D4}, // WCH CH9102
	{0x0403, 0x6001}, // FTDI FT232R
	ft2232,           // FTDI FT2232H: ESP-Prog, WROVER-KIT
	{0x0403, 0x6014}, // FTDI FT232H
	{0x0403, 0x6015}, // FTDI FT231X
}

// ft2232 has two channels; Espressif's boards have JTAG on the first and the
// chip's UART on the second.
var ft2232 = ID{0x0403, 0x6010}

// Known reports whether id is Espressif's or that of a usual bridge.
func Known(id ID) bool { return id.VID == Espressif || slices.Contains(bridges, id) }

// KnownOr returns a filter that accepts what is Known, and the extra IDs.
func KnownOr(extra ...ID) func(ID) bool {
	return func(id ID) bool { return Known(id) || slices.Contains(extra, id) }
}
