package flasher

import (
	"context"
	"errors"
	"fmt"
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
	for {
		if !d.stub {
			if err := d.RaiseBaud(ctx); err != nil { // the upload itself is then already fast
				return err
			}
			image, why := d.stubImage(ctx)
			if image == nil {
				d.logf("using the ROM loader: %s", why)
				return nil
			}
			err := opError("start stub", d.uploadStub(ctx, image))
			if err == nil {
				err = opError("start stub", d.runStub(ctx, image.Entry))
			} else if err = d.fallBack(ctx, err); err == nil {
				continue
			}
			if err != nil {
				return err
			}
			d.stub, d.stubFrom = true, stub.Version
		}
		// A line that does not carry the rate costs a reset, and that the stub.
		if err := d.RaiseBaud(ctx); err != nil || d.stub {
			return err
		}
	}
}

// stubImage returns the stub to use, or why there is none.
func (d *Device) stubImage(ctx context.Context) (*stub.Image, string) {
	switch {
	case d.opts.NoStub:
		return nil, "the stub is switched off"
	case d.security.SecureDownload:
		return nil, "secure download mode runs nothing else"
	case d.security.SecureBoot:
		return nil, "secure boot is on" // the C3's ROM refuses it, the S3's needs its memory patched
	}
	name := d.chip.Name
	if d.chip.stubName != nil {
		revision, err := d.Revision(ctx)
		if err != nil {
			return nil, err.Error()
		}
		if name = d.chip.stubName(revision); name == "" {
			return nil, fmt.Sprintf("Espressif's stub does not run on revision %s", revision)
		}
	}
	image, err := stub.For(name)
	if errors.Is(err, stub.ErrMissing) {
		return nil, "this build has no stub for the " + d.chip.Title
	}
	if err != nil {
		return nil, err.Error()
	}
	return image, ""
}

// uploadStub puts a stub into the chip's RAM. Each block has a checksum: it is
// also a test of the line.
func (d *Device) uploadStub(ctx context.Context, image *stub.Image) error {
	if err := d.upload(ctx, image.TextStart, image.Text); err != nil {
		return err
	}
	return d.upload(ctx, image.DataStart, image.Data)
}

func (d *Device) runStub(ctx context.Context, entry uint32) error {
	err := d.simple(ctx, MemEnd, memEndTimeout, 0, entry)
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
		if _, err := d.exchange(ctx, MemData, dataFrame(MemData, seq, part), defaultTimeout); err != nil {
			return err
		}
	}
	return nil
}
