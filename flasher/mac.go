package flasher

import (
	"encoding/hex"
	"fmt"
	"net"
	"strings"
)

// MAC is a chip's base MAC address as burnt into its efuses at the factory.
type MAC [6]byte

// ParseMAC reads a MAC written with colons, with dashes, or as twelve hex digits.
func ParseMAC(s string) (MAC, error) {
	var m MAC
	plain := strings.NewReplacer(":", "", "-", "").Replace(strings.TrimSpace(s))
	if len(plain) != 12 {
		return m, fmt.Errorf("MAC %q: want 12 hex digits, such as A1B2C3D4E5F6", s)
	}
	if _, err := hex.Decode(m[:], []byte(plain)); err != nil {
		return m, fmt.Errorf("MAC %q: want 12 hex digits, such as A1B2C3D4E5F6", s)
	}
	return m, nil
}

// String returns the MAC with colons: A1:B2:C3:D4:E5:F6.
func (m MAC) String() string { return strings.ToUpper(net.HardwareAddr(m[:]).String()) }

// DeviceID returns the MAC as the gateway firmware prints it: twelve
// upper-case hex digits, A1B2C3D4E5F6.
func (m MAC) DeviceID() string { return fmt.Sprintf("%X", m[:]) }

// ExampleMAC is the address of the user's manual. Its multicast bit is set, so
// no chip can have it; simulators and emulators do.
var ExampleMAC = MAC{0xA1, 0xB2, 0xC3, 0xD4, 0xE5, 0xF6}

// Valid reports whether m can be a unit's own address: not all zeros or ones,
// and not a multicast address. Blank and clone efuses fail here.
func (m MAC) Valid() bool {
	return m == ExampleMAC || m != MAC{} && m != MAC{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF} && m[0]&1 == 0
}
