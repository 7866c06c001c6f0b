package espsim

import (
	"bytes"
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"time"

	"hoptech.co.nz/flashd/flasher/slip"
)

// The ROM loader's reasons for a refusal (serial-protocol.rst, "ROM Loader Errors").
const (
	romInvalid      = 0x05 // unknown command, or parameters of the wrong form
	romFailed       = 0x06
	romBadChecksum  = 0x07
	romWriteError   = 0x08 // what was read back is not what was written
	romReadError    = 0x09
	romReadLength   = 0x0A
	romInflateError = 0x0B
	romAdlerError   = 0x0C
)

const (
	romSyncValue = 0x20120707 // what the ROM answers to SYNC
	// romMaxFrame bounds what the ROM's receive buffer takes: its RAM block of
	// 0x1800 bytes with its headers.
	romMaxFrame = headerSize + dataHeader + 0x1800
	// romMaxBlock is the longest flash block that its FLASH_BEGIN accepts;
	// 4 KiB are known to work, 16 KiB to be refused.
	romMaxBlock = 0x1800
	romReadMax  = 64 // bytes, READ_FLASH_SLOW
	// romFlashSize is what the ROM takes the flash for until SPI_SET_PARAMS.
	romFlashSize = 4 << 20
)

// rom is the loader in mask ROM, waiting for a host.
type rom struct {
	c       *Chip
	decoder slip.Decoder
	pending [][]byte

	lastOp    uint8 // of the last command that it knew
	reason    uint8 // left over from the last refusal
	flashSize uint32
	mem       transfer
	flash     transfer
	inflate   *inflater
}

// transfer is a download under way.
type transfer struct {
	active                           bool
	size, blocks, blockSize, address uint32
	next                             uint32 // sequence number expected
}

// begin reads the four words of a BEGIN command.
func (t *transfer) begin(r *request) {
	*t = transfer{active: true, size: r.word(0), blocks: r.word(1), blockSize: r.word(2), address: r.word(3)}
}

// runROM is the ROM loader until it leaves for a program, or for good.
func (c *Chip) runROM() error {
	r := &rom{c: c, flashSize: romFlashSize, decoder: slip.Decoder{Max: c.maxFrame(romMaxFrame)}}
	defer func() { r.inflate.close() }()
	c.measureBaud(true)
	for {
		for len(r.pending) == 0 {
			if err := c.awaitInput(r); err != nil {
				return err
			}
		}
		frame := r.pending[0]
		r.pending = r.pending[1:]
		if err := r.handle(frame); err != nil {
			return err
		}
	}
}

// maxFrameOTG is the longest frame that the USB-OTG console takes: a data
// block of 0x800 bytes with its headers (esptool, USB_RAM_BLOCK).
const maxFrameOTG = headerSize + dataHeader + 0x800

// maxFrame is the longest frame that a loader with a buffer of n bytes takes.
func (c *Chip) maxFrame(n int) int {
	if c.cfg.Wiring == USBOTG {
		return min(n, maxFrameOTG)
	}
	return n
}

// byte implements sink: the ROM works on one frame at a time, and the rest waits.
func (r *rom) byte(b byte) bool {
	r.decoder.Write([]byte{b}, func(p []byte) { r.pending = append(r.pending, bytes.Clone(p)) })
	return len(r.pending) > 0
}

// handle answers one frame. What is no request gets no answer.
func (r *rom) handle(frame []byte) error {
	if len(frame) < headerSize || frame[0] != 0 {
		return nil
	}
	q := &request{op: frame[1], checksum: binary.LittleEndian.Uint32(frame[4:]), data: frame[headerSize:]}
	if int(binary.LittleEndian.Uint16(frame[2:])) != len(q.data) {
		return r.refuse(q.op, romInvalid)
	}
	rejected, code, silent, err := r.c.strike(q.op)
	switch {
	case err != nil:
		return err
	case silent:
		r.c.cpu.muted = true
		defer func() { r.c.cpu.muted = false }()
	case rejected:
		return r.refuse(q.op, uint8(code))
	}
	command, known := romCommands[q.op]
	if !known || !r.allowed(q.op) {
		return r.unsupported()
	}
	r.lastOp = q.op
	return command(r, q)
}

// allowed reports whether secure download mode lets a command through
// (serial-protocol.rst, "Supported by Stub Loader and ROM Loader").
func (r *rom) allowed(op uint8) bool {
	if op == opSecurityInfo && r.c.model.SecurityInfo == 0 {
		return false
	}
	if !r.c.cfg.Security.SecureDownload {
		return true
	}
	switch op {
	case opSync, opSPIAttach, opSPISetParams, opChangeBaudrate, opFlashBegin, opFlashData, opFlashEnd, opSecurityInfo:
		return true
	}
	return false
}

var romCommands = map[uint8]func(*rom, *request) error{
	opSync:           (*rom).sync,
	opFlashBegin:     (*rom).flashBegin,
	opFlashData:      (*rom).flashData,
	opFlashEnd:       (*rom).flashEnd,
	opMemBegin:       (*rom).memBegin,
	opMemData:        (*rom).memData,
	opMemEnd:         (*rom).memEnd,
	opWriteReg:       (*rom).writeReg,
	opReadReg:        (*rom).readReg,
	opSPISetParams:   (*rom).setParams,
	opSPIAttach:      (*rom).attach,
	opReadFlashSlow:  (*rom).readSlow,
	opChangeBaudrate: (*rom).changeBaud,
	opDeflBegin:      (*rom).deflBegin,
	opDeflData:       (*rom).deflData,
	opDeflEnd:        (*rom).deflEnd,
	opFlashMD5:       (*rom).md5,
	opSecurityInfo:   (*rom).securityInfo,
}

// reply sends a success. Only the first status byte means something; the
// others hold what earlier commands left there.
func (r *rom) reply(op uint8, value uint32, data []byte) error {
	return r.c.sendFrame(response(op, value, data, []byte{0, r.reason, 0, 0}))
}

func (r *rom) ok(q *request) error { return r.reply(q.op, 0, nil) }

func (r *rom) refuse(op, reason uint8) error {
	r.reason = reason
	return r.c.sendFrame(response(op, 0, nil, []byte{1, reason, 0, 0}))
}

// unsupported answers a command that the ROM does not know: eight times, with
// the opcode of the command before.
func (r *rom) unsupported() error {
	for range 8 {
		if err := r.refuse(r.lastOp, romInvalid); err != nil {
			return err
		}
	}
	return nil
}

func (r *rom) sync(q *request) error {
	if len(q.data) != 36 {
		return r.refuse(q.op, romInvalid)
	}
	r.c.measureBaud(false)
	for range 8 {
		if err := r.reply(q.op, romSyncValue, nil); err != nil {
			return err
		}
	}
	return nil
}

// flashBegin erases all of the region before it answers.
func (r *rom) flashBegin(q *request) error {
	if len(q.data) != 4*r.c.model.BeginWords {
		return r.refuse(q.op, romInvalid)
	}
	var t transfer
	t.begin(q)
	if t.blockSize > romMaxBlock {
		return r.refuse(q.op, romInvalid)
	}
	if t.address%sectorSize != 0 || !within(t.address, t.size, r.flashSize) {
		return r.refuse(q.op, romFailed)
	}
	r.flash = t
	if err := r.eraseAll(int(t.address), int(t.size)); err != nil {
		return err
	}
	return r.ok(q)
}

// within reports whether a region of the flash ends where the flash does, or before.
func within(address, size, flashSize uint32) bool {
	return uint64(address)+uint64(size) <= uint64(flashSize)
}

// eraseAll erases in blocks where it can and in sectors where it must.
func (r *rom) eraseAll(address, size int) error {
	end := (address + size + sectorSize - 1) &^ (sectorSize - 1)
	for address < end {
		n, takes := eraseUnit(&r.c.cfg.Timing, address, end-address)
		if err := r.c.erase(address, n); err != nil {
			return err
		}
		if err := r.c.busy(takes); err != nil {
			return err
		}
		address += n
	}
	return nil
}

// eraseUnit is the erase command that fits an aligned address with n bytes to
// go, as the loaders choose it: 64 KiB or 4 KiB.
func eraseUnit(t *Timing, address, n int) (size int, takes time.Duration) {
	if address%blockSize == 0 && n >= blockSize {
		return blockSize, t.EraseBlock
	}
	return sectorSize, t.EraseSector
}

// expect checks a data block against its transfer, as the ROM does: a wrong
// sequence number leaves the transfer as it was; a bad checksum loses the block,
// since the next number is expected afterwards.
func (r *rom) expect(t *transfer, q *request) (reason uint8) {
	switch {
	case !t.active || len(q.data) < dataHeader || int(q.word(0)) != len(q.payload()):
		return romInvalid
	case q.word(1) != t.next || t.next >= t.blocks || uint32(len(q.payload())) > t.blockSize:
		return romInvalid
	}
	t.next++
	if !q.intact(q.payload()) {
		return romBadChecksum
	}
	return 0
}

func (r *rom) flashData(q *request) error {
	if reason := r.expect(&r.flash, q); reason != 0 {
		return r.refuse(q.op, reason)
	}
	intact, err := r.writeBack(int(r.flash.address+(r.flash.next-1)*r.flash.blockSize), q.payload())
	switch {
	case err != nil:
		return err
	case !intact:
		return r.refuse(q.op, romWriteError)
	}
	return r.ok(q)
}

// writeBack programs data and reads it back, as the ROM does with each block.
func (r *rom) writeBack(address int, data []byte) (intact bool, err error) {
	if err := r.c.program(address, data); err != nil {
		return false, err
	}
	t := &r.c.cfg.Timing
	takes := t.programTime(len(data)) + at(t.ReadRate, len(data))
	if err := r.c.busy(takes); err != nil {
		return false, err
	}
	back := make([]byte, len(data))
	r.c.flash.read(back, address)
	return bytes.Equal(back, data), nil
}

// programTime is how long n bytes take to program.
func (t *Timing) programTime(n int) time.Duration {
	return time.Duration(int64(t.ProgramPage) * int64(n) / pageSize)
}

// flashEnd leaves the loader: 0 resets the CPU, which finds the straps as they
// were; anything else runs user code, of which there is none.
func (r *rom) flashEnd(q *request) error {
	if len(q.data) != 4 {
		return r.refuse(q.op, romInvalid)
	}
	if err := r.ok(q); err != nil {
		return err
	}
	if q.word(0) == 0 {
		return restart{resetBySoft}
	}
	if err := r.c.print(r.c.model.Log.LeftLoader); err != nil {
		return err
	}
	return r.c.lost()
}

func (r *rom) memBegin(q *request) error {
	if len(q.data) != 16 {
		return r.refuse(q.op, romInvalid)
	}
	r.mem.begin(q)
	return r.ok(q)
}

func (r *rom) memData(q *request) error {
	if reason := r.expect(&r.mem, q); reason != 0 {
		return r.refuse(q.op, reason)
	}
	r.c.cpu.mem.load(r.mem.address+(r.mem.next-1)*r.mem.blockSize, q.payload())
	return r.ok(q)
}

// memEnd starts the uploaded program, if it is told to.
func (r *rom) memEnd(q *request) error {
	if len(q.data) != 8 {
		return r.refuse(q.op, romInvalid)
	}
	r.mem = transfer{}
	if err := r.ok(q); err != nil {
		return err
	}
	if stay, entry := q.word(0), q.word(1); stay == 0 && entry != 0 {
		return r.c.startProgram(entry)
	}
	return nil
}

func (r *rom) writeReg(q *request) error {
	if len(q.data) == 0 || len(q.data)%16 != 0 {
		return r.refuse(q.op, romInvalid)
	}
	if err := r.c.writeRegisters(q); err != nil {
		return err
	}
	return r.ok(q)
}

// writeRegisters carries out the entries of a WRITE_REG: address, value, mask,
// and a delay in microseconds before.
func (c *Chip) writeRegisters(q *request) error {
	for i := 0; i < len(q.data)/4; i += 4 {
		address, value, mask := q.word(i), q.word(i+1), q.word(i+2)
		if err := c.busy(time.Duration(q.word(i+3)) * time.Microsecond); err != nil {
			return err
		}
		value &= mask
		if mask != 0xFFFFFFFF {
			value |= c.readRegister(address) &^ mask
		}
		if err := c.writeRegister(address, value); err != nil {
			return err
		}
	}
	return nil
}

func (r *rom) readReg(q *request) error {
	if len(q.data) != 4 {
		return r.refuse(q.op, romInvalid)
	}
	return r.reply(q.op, r.c.readRegister(q.word(0)), nil)
}

func (r *rom) setParams(q *request) error {
	if len(q.data) != 24 {
		return r.refuse(q.op, romInvalid)
	}
	r.flashSize = q.word(1)
	return r.ok(q)
}

func (r *rom) attach(q *request) error {
	if len(q.data) != 8 {
		return r.refuse(q.op, romInvalid)
	}
	r.c.cpu.flash.pins = q.word(0)
	return r.ok(q)
}

// readSlow always answers 64 bytes; the host takes as many as it asked for.
func (r *rom) readSlow(q *request) error {
	switch {
	case len(q.data) != 8:
		return r.refuse(q.op, romInvalid)
	case q.word(1) > romReadMax:
		return r.refuse(q.op, romReadLength)
	case !within(q.word(0), q.word(1), r.flashSize):
		return r.refuse(q.op, romReadError)
	}
	data := make([]byte, romReadMax)
	r.c.flash.read(data, int(q.word(0)))
	return r.reply(q.op, 0, data)
}

// changeBaud answers at the old rate and changes then.
func (r *rom) changeBaud(q *request) error {
	if len(q.data) != 8 || q.word(0) == 0 {
		return r.refuse(q.op, romInvalid)
	}
	if err := r.ok(q); err != nil {
		return err
	}
	return r.c.setBaud(r.c.romBaud(q.word(0)))
}

func (r *rom) deflBegin(q *request) error {
	if err := r.flashBegin(q); err != nil {
		return err
	}
	r.inflate.close()
	r.inflate = newInflater()
	return nil
}

// deflData inflates, writes and only then answers.
func (r *rom) deflData(q *request) error {
	if r.inflate == nil {
		return r.refuse(q.op, romInvalid)
	}
	if reason := r.expect(&r.flash, q); reason != 0 {
		return r.refuse(q.op, reason)
	}
	out, failure := r.inflate.feed(q.payload())
	if err := r.c.busy(at(r.c.cfg.Timing.InflateRate, len(out))); err != nil {
		return err
	}
	intact, err := r.writeBack(int(r.flash.address), out)
	r.flash.address += uint32(len(out))
	switch {
	case err != nil:
		return err
	case errors.Is(failure, errInflateSum):
		return r.refuse(q.op, romAdlerError)
	case failure != nil:
		return r.refuse(q.op, romInflateError)
	case !intact:
		return r.refuse(q.op, romWriteError)
	}
	return r.ok(q)
}

// deflEnd stays in the loader.
func (r *rom) deflEnd(q *request) error {
	if len(q.data) != 4 {
		return r.refuse(q.op, romInvalid)
	}
	return r.ok(q)
}

// md5 answers in hex digits.
func (r *rom) md5(q *request) error {
	switch {
	case len(q.data) != 16:
		return r.refuse(q.op, romInvalid)
	case !within(q.word(0), q.word(1), r.flashSize):
		return r.refuse(q.op, romReadError)
	}
	sum, err := r.c.flashMD5(q.word(0), q.word(1))
	if err != nil {
		return err
	}
	return r.reply(q.op, 0, hex.AppendEncode(nil, sum))
}

// flashMD5 takes the time that reading and hashing a region does.
func (c *Chip) flashMD5(address, size uint32) ([]byte, error) {
	h := md5.New()
	buf := make([]byte, blockSize)
	for done := uint32(0); done < size; {
		n := min(size-done, blockSize)
		c.flash.read(buf[:n], int(address+done))
		h.Write(buf[:n])
		done += n
		if err := c.busy(at(c.cfg.Timing.MD5Rate, int(n))); err != nil {
			return nil, err
		}
	}
	return h.Sum(nil), nil
}

// securityInfo does not look at what comes with the request: a client in use
// sends 20 bytes.
func (r *rom) securityInfo(q *request) error {
	return r.reply(q.op, 0, r.c.securityInfo())
}
