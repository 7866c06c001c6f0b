package usbip

import (
	"encoding/binary"
	"unicode/utf16"
)

// Standard requests and descriptor types (USB 2.0, tables 9-4 and 9-5).
const (
	getStatus        = 0
	getDescriptor    = 6
	getConfiguration = 8
	setConfiguration = 9

	deviceDescriptor        = 1
	configurationDescriptor = 2
	stringDescriptor        = 3
)

// deviceIdentity is what a device says of itself.
type deviceIdentity struct {
	vid, pid, release uint16
	class             [3]byte  // class, subclass, protocol
	strings           []string // manufacturer, product, serial number; "": it has none
	interfaces        byte
	body              []byte // the configuration descriptor behind its first nine bytes
}

// device is the device descriptor, for a full-speed device with packets of 64
// bytes.
func (d *deviceIdentity) device() []byte {
	b := append([]byte{18, deviceDescriptor, 0x00, 0x02}, d.class[:]...)
	b = append(b, 64)
	for _, v := range []uint16{d.vid, d.pid, d.release} {
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	for i, s := range d.strings {
		if s == "" {
			b = append(b, 0)
		} else {
			b = append(b, byte(i+1))
		}
	}
	return append(b, 1) // configurations
}

// configuration is the only one, powered by the bus with up to 500 mA.
func (d *deviceIdentity) configuration() []byte {
	n := 9 + len(d.body)
	b := []byte{9, configurationDescriptor, byte(n), byte(n >> 8), d.interfaces, 1, 0, 0x80, 250}
	return append(b, d.body...)
}

// text is string number i; number 0 lists the languages: US English.
func (d *deviceIdentity) text(i int) ([]byte, bool) {
	if i == 0 {
		return []byte{4, stringDescriptor, 0x09, 0x04}, true
	}
	if i > len(d.strings) || d.strings[i-1] == "" {
		return nil, false
	}
	units := utf16.Encode([]rune(d.strings[i-1]))
	b := []byte{byte(2 + 2*len(units)), stringDescriptor}
	for _, u := range units {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b, true
}

// standard answers a standard request; false stalls it.
func (d *deviceIdentity) standard(s setup) ([]byte, bool) {
	switch s.request {
	case getDescriptor:
		switch s.value >> 8 {
		case deviceDescriptor:
			return d.device(), true
		case configurationDescriptor:
			return d.configuration(), true
		case stringDescriptor:
			return d.text(int(s.value & 0xFF))
		}
		return nil, false // no device qualifier: it knows full speed only
	case getStatus:
		return []byte{0, 0}, true
	case getConfiguration:
		return []byte{1}, true
	default:
		return nil, true // set interface, clear or set feature
	}
}

// isStandard reports whether the request is the same for all devices.
func (s setup) isStandard() bool { return s.kind&0x60 == 0 }
