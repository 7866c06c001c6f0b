package flasher

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// identity is what a chip says that it is.
type identity struct {
	chip     *Chip
	security Security
	mac      MAC // zero in secure download mode
}

// Identify finds out which chip it is, which MAC it has and which protections
// are burnt in, keeps its watchdogs from ending the session and switches its
// flash chip on.
func (d *Device) Identify(ctx context.Context) error {
	said, err := d.askIdentity(ctx)
	if d.unguarded() && (err == nil || errors.Is(err, BadMAC)) {
		// A bit that flips on the way would make it another unit, one without
		// protections, or one whose MAC is damaged.
		again, errAgain := d.askIdentity(ctx)
		if (errAgain == nil || errors.Is(errAgain, BadMAC)) && (again != said || (err == nil) != (errAgain == nil)) {
			return &Error{Op: "identify", Kind: BadFrame, Err: fmt.Errorf("the chip says two different things about itself: %s and %s", said, again)}
		}
		err = errAgain
	}
	if err != nil {
		return err
	}
	d.mac = said.mac
	if d.security.SecureDownload {
		d.logf("the %s is in secure download mode: nothing of what it is told is verified", d.chip)
		return nil
	}
	return opError("prepare", d.prepare(ctx))
}

func (id identity) String() string {
	return fmt.Sprintf("%s with MAC %s and protections: %s", id.chip, id.mac, id.security)
}

// askIdentity asks the chip once. The commands depend on which chip it is, so
// that is kept.
func (d *Device) askIdentity(ctx context.Context) (identity, error) {
	d.chip, d.security = nil, Security{}
	if err := d.identifyChip(ctx); err != nil {
		return identity{}, opError("identify", err)
	}
	id := identity{chip: d.chip, security: d.security}
	if d.security.SecureDownload {
		return id, nil
	}
	mac, err := d.readMAC(ctx)
	id.mac = mac
	return id, opError("read MAC", err)
}

// prepare makes a chip fit for a session.
func (d *Device) prepare(ctx context.Context) error {
	if err := d.quietWatchdogs(ctx); err != nil || d.chip.powerFlash == nil {
		return err
	}
	return d.chip.powerFlash(ctx, d)
}

// ConfirmMAC reads the MAC again: the error is a WrongUnit when it is not the
// one that Identify read, because somebody has changed the board on the line.
func (d *Device) ConfirmMAC(ctx context.Context) error {
	mac, err := d.readMAC(ctx)
	if err == nil && mac != d.mac {
		err = &Error{Kind: WrongUnit, Err: fmt.Errorf("the chip is %s and was %s", mac, d.mac)}
	}
	return opError("confirm MAC", err)
}

// identifyChip asks the magic register first: it tells ESP32 and S2 apart at
// once, which cannot answer for themselves, and spares the ESP32's eightfold
// protest at a command it does not know.
func (d *Device) identifyChip(ctx context.Context) error {
	magic, err := d.readReg(ctx, magicReg)
	if err == nil {
		if i := slices.IndexFunc(Chips, func(c *Chip) bool { return c.magic != 0 && c.magic == magic }); i >= 0 {
			d.chip = Chips[i]
		}
	}
	var e *Error
	noRegisters := errors.As(err, &e) && e.Code == invalidMessage
	if err != nil && !noRegisters {
		return err
	}
	if err := d.identifyBySecurityInfo(ctx, noRegisters); err != nil {
		return err
	}
	switch {
	case d.security.SecureDownload:
		return d.goBlind()
	case noRegisters: // which it has, then
		return err
	case d.chip == nil:
		return &Error{Kind: UnknownChip, Err: fmt.Errorf("register %08x reads %08x", uint32(magicReg), magic)}
	}
	return nil
}

// identifyBySecurityInfo asks the chip itself, or its efuses where it cannot
// answer.
func (d *Device) identifyBySecurityInfo(ctx context.Context, noRegisters bool) (err error) {
	if d.chip != nil && d.chip.security != nil {
		d.security, err = d.chip.security(d.reader(ctx))
		return err
	}
	info, err := d.securityInfo(ctx)
	if err != nil {
		return err
	}
	switch {
	case info.hasChipID:
		d.chip = chipByImageID(uint16(info.chipID))
		if d.chip == nil {
			return &Error{Kind: UnknownChip, Err: fmt.Errorf("chip ID %d", info.chipID)}
		}
	case noRegisters:
		// No other chip has both: serial-protocol.rst "Chip Detection".
		d.chip, info.SecureDownload = &ESP32S2, true
	}
	d.security = info.Security
	return nil
}

// readMAC reads the base MAC: the low 32 bits, then a word whose low 16 bits
// are the high ones. On chips with 802.15.4 the other half of that word is
// the EUI-64's extension and no part of the MAC.
func (d *Device) readMAC(ctx context.Context) (MAC, error) {
	low, err := d.readReg(ctx, d.chip.macReg[0])
	if err != nil {
		return MAC{}, err
	}
	high, err := d.readReg(ctx, d.chip.macReg[1])
	if err != nil {
		return MAC{}, err
	}
	mac := MAC{byte(high >> 8), byte(high), byte(low >> 24), byte(low >> 16), byte(low >> 8), byte(low)}
	switch {
	case !mac.Valid():
		err = &Error{Kind: BadMAC, Err: fmt.Errorf("the efuses hold %s, which is no unit's own address", mac)}
	case d.chip.macCRC && macCRC(mac) != byte(high>>16):
		err = &Error{Kind: BadMAC, Err: fmt.Errorf("the efuses hold %s with a CRC of %02x, want %02x", mac, byte(high>>16), macCRC(mac))}
	}
	return mac, err
}

// macCRC is the CRC-8 that the ESP32's efuses hold beside the MAC: polynomial
// 0x31, reflected, from 0 (esp-idf esp_rom_efuse_mac_address_crc8).
func macCRC(mac MAC) (crc byte) {
	for _, b := range mac {
		crc ^= b
		for range 8 {
			carry := crc & 1
			crc >>= 1
			if carry != 0 {
				crc ^= 0x8C
			}
		}
	}
	return crc
}

// quietWatchdogs stops the RTC watchdogs, which a reset over USB-Serial/JTAG
// leaves running and which would end a long session. A stub that was found
// running has done so itself.
func (d *Device) quietWatchdogs(ctx context.Context) error {
	w := d.chip.watchdogs
	if d.opts.Wiring != USBSerialJTAG || d.stub || w == (watchdogRegs{}) {
		return nil
	}
	writes := []regWrite{{w.protect, w.key}, {w.config0, 0}, {w.protect, 0}}
	if w.superConfig != 0 {
		super, err := d.readReg(ctx, w.superConfig)
		if err != nil {
			return err
		}
		writes = append(writes, regWrite{w.superProtect, w.superKey}, regWrite{w.superConfig, super | w.autoFeed}, regWrite{w.superProtect, 0})
	}
	return d.writeRegs(ctx, writes...)
}
