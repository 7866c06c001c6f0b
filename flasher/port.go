package flasher

import "io"

// A Port is the serial line to one chip: bytes plus the two modem lines that
// boards wire to the chip's reset and boot pins.
//
// Read blocks until there is at least one byte, the port is closed, or the
// line is gone. An implementation reports a device that was unplugged with an
// error for which errors.Is(err, Detached) holds.
type Port interface {
	io.ReadWriteCloser

	// SetBaud changes the line rate, in bits per second, for what is written
	// from now on. Ports without a rate (USB, sockets) accept any.
	SetBaud(baud int) error

	// SetLines sets both modem lines in one step. True means asserted, that
	// is, the pin is low: DTR pulls the boot pin (IO0 or IO9), RTS the reset
	// pin (EN). In one step, because on some bridges the gap between two
	// steps resets the chip into its application. Ports that have no lines
	// return an error for which errors.Is(err, errors.ErrUnsupported) holds.
	SetLines(dtr, rts bool) error
}

// Wiring tells how the modem lines of a port reach the chip, and with that
// which reset strategy brings it into download mode.
type Wiring uint8

const (
	// UART is a USB bridge (CP210x, CH340, FTDI) whose DTR and RTS go through
	// the usual two transistors to IO0 and EN.
	UART Wiring = iota
	// USBSerialJTAG is the chip's own USB-Serial/JTAG unit, which interprets
	// DTR and RTS itself (VID 303A, PID 1001).
	USBSerialJTAG
	// USBOTG is the USB-OTG console of the ROM of S2, S3 and P4
	// (VID 303A, PID = chip ID).
	USBOTG
)

// unguarded reports whether bits can flip unnoticed between host and chip: see
// "Lines without checksums".
func (d *Device) unguarded() bool { return d.opts.Wiring == UART }

// WiringOf returns the wiring of a USB serial device.
func WiringOf(vid, pid uint16) Wiring {
	const espressif = 0x303A
	switch {
	case vid == espressif && pid == 0x1001:
		return USBSerialJTAG
	case vid == espressif && (pid == 0x0002 || pid == 0x0009 || pid == 0x0012):
		return USBOTG
	default:
		return UART
	}
}
