package espsim

import "encoding/binary"

// The ROM loader's reasons for a refusal (serial-protocol.rst, "ROM Loader
// Errors"; the last one from the ROM itself).
const (
	romInvalid      = 0x05 // unknown command, or parameters of the wrong form
	romFailed       = 0x06
	romBadChecksum  = 0x07
	romWriteError   = 0x08 // what was read back is not what was written
	romReadError    = 0x09
	romReadLength   = 0x0A
	romInflateError = 0x0B
	romAdlerError   = 0x0C
	romInflateSetup = 0x0D
	romNoEncryption = 0x64
)

const (
	// romMaxBlock is the longest block that a BEGIN may announce.
	romMaxBlock = 0x1800
	// romFlashSize is what the ROM takes the flash for until SPI_SET_PARAMS.
	romFlashSize = 2 << 20
	// romAnswer is what the ROM builds its answers in, in bytes: a header, the 64
	// bytes of READ_FLASH_SLOW and a status of four.
	romAnswer = headerSize + romReadMax + 4
)

// rom is the loader in mask ROM, waiting for a host. How it behaves is read off
// the machine code of the ROMs of ESP32 v3, ESP32-S3 and ESP32-C3 (UartConnCheck,
// UartDwnLdProc and what they call; addresses in ESP-IDF's esp32.rom.ld and its
// like) and was compared with the answers of all three running in an emulator.
//
// The loader is lenient in a way that shows: commands read their parameters
// out of a buffer that keeps what earlier frames left behind a short one, and
// answers are built in a buffer that keeps what earlier answers said.
type rom struct {
	c        *Chip
	receiver romReceiver
	synced   bool // the first SYNC has come

	// What is to be done behind an answer: a change of rate, in baud; an end of
	// the loader; a reset of the chip.
	baud               int
	leaving, rebooting bool

	answer [romAnswer]byte
	reason uint8 // of the last refusal; only some successes clear it

	flashSize uint32
	plain     transfer // one for MEM_BEGIN and FLASH_BEGIN
	packed    packedTransfer
}

// runROM is the ROM loader until it leaves for a program, or for good.
func (c *Chip) runROM() error {
	c.cpu.flash.wide, c.cpu.flash.deaf = false, false // of a stub before a reset
	r := &rom{c: c, receiver: newROMReceiver(c), flashSize: romFlashSize}
	r.plain = c.model.ROM.stray
	r.answer[0] = 1
	defer func() { r.packed.inflate.close() }()
	c.measureBaud(true)
	for {
		if err := r.receiver.next(c); err != nil {
			return err
		}
		if err := r.handle(r.receiver.request()); err != nil {
			return err
		}
		r.receiver.catchUp(c)
	}
}

// handle answers one frame. Until the first SYNC nothing else is answered.
func (r *rom) handle(q *request) error {
	if !r.synced && (q.op != opSync || q.direction != 0) {
		return nil
	}
	rejected, code, silent, err := r.c.strike(q.op)
	switch {
	case err != nil:
		return err
	case silent:
		r.c.cpu.muted = true
		defer func() { r.c.cpu.muted = false }()
	case rejected:
		r.answer[1], r.reason = q.op, uint8(code)
		return r.send(0, true)
	}
	if !r.synced {
		return r.firstSync(q)
	}
	command, known := romCommands[q.op]
	if !known || q.direction != 0 || !r.allowed(q.op) {
		// The answer has the opcode of the command before.
		return r.send(0, r.refuse(romInvalid))
	}
	size, failed, err := command(r, q)
	if err != nil {
		return err
	}
	r.answer[1] = q.op
	if err := r.send(size, failed); err != nil {
		return err
	}
	return r.leave(q)
}

// allowed reports whether secure download mode lets a command through
// (serial-protocol.rst, "Supported by Stub Loader and ROM Loader", but for the
// command that it does not know), and whether this ROM has it at all.
func (r *rom) allowed(op uint8) bool {
	switch m := r.c.model; {
	case op == opSecurityInfo && m.SecurityInfo == 0, op == opAddressBits && !m.ROM.AddressBits:
		return false
	case !r.c.cfg.Security.SecureDownload:
		return true
	}
	switch op {
	case opSync, opSPIAttach, opSPISetParams, opChangeBaudrate, opFlashBegin, opFlashData, opFlashEnd, opSecurityInfo, opAddressBits:
		return true
	}
	return false
}

// romCommand carries a command out. It returns how many bytes of the answer
// are data, which does not depend on success, whether it failed (with the
// cause in rom.reason), and an error only when the chip does not get to answer.
type romCommand func(*rom, *request) (size int, failed bool, err error)

// atOnce is a command that takes no time and has no data to tell.
func atOnce(do func(*rom, *request) (failed bool)) romCommand {
	return func(r *rom, q *request) (int, bool, error) { return 0, do(r, q), nil }
}

var romCommands = map[uint8]romCommand{
	opSync:           atOnce((*rom).sync),
	opFlashBegin:     (*rom).flashBegin,
	opFlashData:      (*rom).flashData,
	opFlashEnd:       atOnce((*rom).flashEnd),
	opMemBegin:       atOnce((*rom).memBegin),
	opMemData:        (*rom).memData,
	opMemEnd:         atOnce((*rom).memEnd),
	opWriteReg:       (*rom).writeReg,
	opReadReg:        (*rom).readReg,
	opSPISetParams:   atOnce((*rom).setParams),
	opSPIAttach:      atOnce((*rom).attach),
	opReadFlashSlow:  (*rom).readSlow,
	opChangeBaudrate: (*rom).changeBaud,
	opDeflBegin:      (*rom).deflBegin,
	opDeflData:       (*rom).deflData,
	opDeflEnd:        atOnce((*rom).deflEnd),
	opFlashMD5:       (*rom).md5,
	opSecurityInfo:   (*rom).securityInfo,
	opAddressBits:    atOnce((*rom).addressBits),
}

// refuse notes the reason of a failure. It returns true, which says so.
func (r *rom) refuse(reason uint8) (failed bool) {
	r.reason = reason
	return true
}

// succeed clears the reason, as only some commands do. It returns false.
func (r *rom) succeed() (failed bool) {
	r.reason = 0
	return false
}

// send sends the answer with its status behind size bytes of data. Only the
// first byte of the status means something. The answer to SYNC is sent eight
// times, and so is a refusal behind it, which looks like one.
func (r *rom) send(size int, failed bool) error {
	status := r.answer[headerSize+size:]
	status[0], status[1] = 0, r.reason
	if failed {
		status[0] = 1
	}
	binary.LittleEndian.PutUint16(r.answer[2:], uint16(size+4))
	times := 1
	if r.answer[1] == opSync {
		times = 8
	}
	for range times {
		if err := r.c.sendFrame(r.answer[:headerSize+size+4]); err != nil {
			return err
		}
	}
	return nil
}

// setValue puts the value into the answer, where it stays: only SYNC and
// READ_REG have one.
func (r *rom) setValue(value uint32) { binary.LittleEndian.PutUint32(r.answer[4:], value) }

// firstSync is the one that the chip finds its host with. The ROMs since
// ESP32-S2 answer it out of another buffer.
func (r *rom) firstSync(q *request) error {
	r.synced = true
	r.c.measureBaud(false)
	kept := r.answer
	r.answer[1] = opSync
	if err := r.send(0, r.sync(q)); err != nil {
		return err
	}
	if !r.c.model.ROM.KeepsSync {
		r.answer = kept
	}
	return nil
}

// sync returns the host's first word, whatever it is.
func (r *rom) sync(q *request) bool {
	r.setValue(q.word(0))
	return r.succeed()
}

// securityInfo does not look at what comes with the request: a client in use
// sends 20 bytes.
func (r *rom) securityInfo(*request) (int, bool, error) {
	return copy(r.answer[headerSize:], r.c.securityInfo()), false, nil
}
