package flasher

import (
	"context"
	"errors"
	"time"

	"hoptech.co.nz/flashd/flasher/stub"
)

const (
	// ramBlock is the most that one MEM_DATA carries (loader.py ESP_RAM_BLOCK).
	ramBlock = 0x1800
	// otgBlock is the most that one frame carries over the ROM's USB-OTG
	// console, to RAM and to flash (esp32s3.py USB_RAM_BLOCK).
	otgBlock = 0x800
	// stubGreeting is what a stub says when it is up (esp-flasher-stub main.c).
	stubGreeting = "OHAI"
	// memEndTimeout: a ROM may jump without answering MEM_END (loader.py
	// MEM_END_ROM_TIMEOUT).
	memEndTimeout = 200 * time.Millisecond
	// stubStart is what a stub gets to say its greeting.
	stubStart = 3 * time.Second
	// afterGreeting: a stub that is talked to in the same breath loses the
	// first byte (esp-serial-flasher issue 103).
	afterGreeting = time.Millisecond
)

// StartStub raises the baud rate, uploads Espressif's flasher stub for the
// chip and starts it. Where the build has no stub for the chip, the chip does
// not allow one, or Options forbid it, the ROM goes on serving. A stub that is
// running already is used as it is.
func (d *Device) StartStub(ctx context.Context) error {
	if d.stub {
		d.stubFrom = "found running"
		return d.raiseBaud(ctx)
	}
	if !d.chip.rcClocked { // the upload itself is then already fast
		if err := d.raiseBaud(ctx); err != nil {
			return err
		}
	}
	image, why := d.stubImage()
	if image == nil {
		d.logf("using the ROM loader: %s", why)
		return nil
	}
	if err := d.runStub(ctx, image); err != nil {
		return opError("start stub", err)
	}
	d.stub, d.stubFrom = true, stub.Version
	return d.raiseBaud(ctx)
}

// stubImage returns the stub to use, or why there is none.
func (d *Device) stubImage() (*stub.Image, string) {
	switch {
	case d.opts.NoStub:
		return nil, "the stub is switched off"
	case d.security.SecureBoot:
		return nil, "secure boot is on" // the C3's ROM refuses it, the S3's needs its memory patched
	}
	image, err := stub.For(d.chip.Name)
	if errors.Is(err, stub.ErrMissing) {
		return nil, "this build has no stub for the " + d.chip.Title
	}
	if err != nil {
		return nil, err.Error()
	}
	return image, ""
}

func (d *Device) runStub(ctx context.Context, image *stub.Image) error {
	if err := d.upload(ctx, image.TextStart, image.Text); err != nil {
		return err
	}
	if err := d.upload(ctx, image.DataStart, image.Data); err != nil {
		return err
	}
	err := d.simple(ctx, MemEnd, memEndTimeout, 0, image.Entry)
	if err != nil && !errors.Is(err, Timeout) {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, stubStart, Timeout)
	defer cancel()
	for {
		frame, err := d.line.frame(ctx)
		if err != nil {
			return err
		}
		if string(frame) == stubGreeting {
			return sleep(ctx, afterGreeting)
		}
	}
}

// upload writes data into the chip's RAM.
func (d *Device) upload(ctx context.Context, addr uint32, data []byte) error {
	if len(data) == 0 {
		return nil
	}
	block := ramBlock
	if d.opts.Wiring == USBOTG {
		block = otgBlock
	}
	blocks := (len(data) + block - 1) / block
	if err := d.simple(ctx, MemBegin, defaultTimeout, uint32(len(data)), uint32(blocks), uint32(block), addr); err != nil {
		return err
	}
	for seq := range blocks {
		part := data[seq*block : min((seq+1)*block, len(data))]
		if _, _, err := d.exchange(ctx, MemData, dataFrame(MemData, seq, part), defaultTimeout); err != nil {
			return err
		}
	}
	return nil
}
