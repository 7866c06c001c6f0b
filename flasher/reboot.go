package flasher

import (
	"bytes"
	"context"
	"time"
)

// Reboot restarts the chip into its application: by the reset line, or by the
// RTC watchdog where the port has none or the chip does not leave download mode
// otherwise. The Device takes no more commands after it; Line tells what the
// application prints.
func (d *Device) Reboot(ctx context.Context) error {
	if d.chip.forceDownload != 0 && !d.security.SecureDownload {
		// Else the chip may find itself in download mode again.
		if err := d.writeReg(ctx, d.chip.forceDownload, 0, 1); err != nil {
			return opError("reboot", err)
		}
	}
	if d.lineless || d.opts.Wiring == USBOTG { // where RTS leads back into download mode
		return opError("reboot", d.watchdogReset(ctx))
	}
	d.line.text, d.line.frames = nil, nil
	// The ROM prints its boot log at its first rate.
	if err := d.slowDown(ctx); err != nil {
		return opError("reboot", err)
	}
	if _, err := d.reset(ctx, hard); err != nil {
		return err
	}
	if d.opts.Wiring == USBSerialJTAG && d.chip.watchdogs.canReset && !d.security.SecureDownload && d.stuckInDownload(ctx) {
		return opError("reboot", d.leaveDownload(ctx))
	}
	return nil
}

// bootLog is how long a chip gets to say how it has started. The ROM does so
// first of all.
const bootLog = 300 * time.Millisecond

// stuckInDownload reports whether a chip says after a reset that it is in
// download mode. USB-Serial/JTAG resets the core only, which then does not look
// at its boot pin again: a unit that was put in with its pin low stays there.
func (d *Device) stuckInDownload(ctx context.Context) bool {
	ctx, cancel := context.WithTimeoutCause(ctx, bootLog, errQuiet)
	defer cancel()
	for {
		if mode, ok := bootMode(d.line.text); ok {
			return bytes.Contains(mode, []byte("DOWNLOAD"))
		}
		chunk, err := d.line.receive(ctx)
		if err != nil {
			return false // it says nothing, or is gone: whoever reads its lines will see
		}
		d.line.keepText(chunk)
	}
}

// leaveDownload has the watchdog reset all of the chip, boot pin and all.
func (d *Device) leaveDownload(ctx context.Context) error {
	d.logf("the chip is back in download mode; resetting it by its watchdog")
	d.stub = false
	if err := d.sync(ctx); err != nil {
		return err
	}
	err := d.watchdogReset(ctx)
	d.line.text, d.line.frames = nil, nil
	return err
}

// watchdogReset restarts a chip without its reset line.
func (d *Device) watchdogReset(ctx context.Context) error {
	w := d.chip.watchdogs
	if !w.canReset || d.security.SecureDownload {
		return &Error{Kind: Unsupported}
	}
	// Four stages of which the first resets the system after 2,000 ticks of
	// the slow clock, some 15 ms (esptool esp32s3.py watchdog_reset).
	const enable = 1<<31 | 5<<28 | 1<<8 | 2
	err := d.writeRegs(ctx, regWrite{w.protect, w.key}, regWrite{w.config1, 2000}, regWrite{w.config0, enable}, regWrite{w.protect, 0})
	if err != nil {
		return err
	}
	return d.slowDown(ctx)
}

func (d *Device) slowDown(ctx context.Context) error {
	if d.fixed || d.baud == initialBaud {
		return nil
	}
	return d.setPortBaud(ctx, initialBaud)
}

// maxLine bounds a line of console output; a longer one is handed out in
// pieces.
const maxLine = 1024

// Line returns the next line that the application prints, without its line
// end.
func (d *Device) Line(ctx context.Context) (string, error) {
	for {
		if i := bytes.IndexByte(d.line.text, '\n'); i >= 0 {
			line := string(bytes.TrimRight(d.line.text[:i], "\r"))
			d.line.text = d.line.text[i+1:]
			return line, nil
		}
		if len(d.line.text) > maxLine {
			line := string(d.line.text[:maxLine])
			d.line.text = d.line.text[maxLine:]
			return line, nil
		}
		chunk, err := d.line.receive(ctx)
		if err != nil {
			return "", opError("read console", err)
		}
		d.line.text = append(d.line.text, chunk...)
	}
}

// Restart resets a unit that runs its application by the reset line, so that it
// says again what it says when it starts. A chip's USB-Serial/JTAG stays on the
// USB meanwhile. A port without a reset line is left alone.
func (d *Device) Restart(ctx context.Context) error {
	_, err := d.reset(ctx, hard)
	return err
}

// Reopen goes on listening on another port: that of a unit that left the USB
// with its reset and came back under another name. The Device owns port from
// then on.
func (d *Device) Reopen(port Port) error {
	err := d.line.close()
	d.line = newTransport(port)
	return opError("reopen", portError(err))
}
