package espsim

import (
	"crypto/md5"
	"encoding/hex"
	"time"
)

// romReadMax is how many bytes READ_FLASH_SLOW gives, and always answers with.
const romReadMax = 64

// beginFlash checks a FLASH_BEGIN or FLASH_DEFL_BEGIN and reads it. What is to be
// encrypted on its way into the flash is refused where mayEncrypt is false.
func (r *rom) beginFlash(q *request, t *transfer, mayEncrypt bool) (failed bool) {
	words := r.c.model.BeginWords
	if q.length != 4*words || q.word(2) > romMaxBlock {
		return r.refuse(romInvalid)
	}
	encrypted := words > 4 && q.word(4) != 0
	if encrypted && !mayEncrypt {
		return r.refuse(romNoEncryption)
	}
	t.begin(q)
	t.encrypted = encrypted
	return false
}

// eraseRegion erases all that a transfer will write, before BEGIN is answered. A
// transfer that is refused here has begun all the same.
func (r *rom) eraseRegion(t *transfer) (size int, failed bool, err error) {
	if t.address%sectorSize != 0 || !within(t.address, t.size, r.flashSize) {
		return 0, r.refuse(romFailed), nil
	}
	return 0, false, r.eraseAll(t.address/sectorSize, (t.size+sectorSize-1)/sectorSize)
}

// flashBegin takes flash encryption to be burnt with DIS_DOWNLOAD_MANUAL_ENCRYPT,
// as ESP-IDF's release mode does.
func (r *rom) flashBegin(q *request) (int, bool, error) {
	if r.beginFlash(q, &r.plain, !r.c.cfg.Security.FlashEncryption) {
		return 0, true, nil
	}
	return r.eraseRegion(&r.plain)
}

// within reports whether a region of the flash ends where the flash does, or before.
func within(address, size, flashSize uint32) bool {
	return uint64(address)+uint64(size) <= uint64(flashSize)
}

// eraseAll erases sectors as the ROM does (SPIEraseArea): one by one up to the
// border of the first block, a whole block's worth where the region begins at
// one, then blocks, then one by one again for the last sixteen or less.
func (r *rom) eraseAll(sector, n uint32) error {
	const perBlock = blockSize / sectorSize
	head := min(n, perBlock-sector%perBlock)
	for ; n > 0; head = max(head, 1) - 1 {
		size, takes := uint32(1), r.c.cfg.Timing.EraseSector
		if head == 0 && n > perBlock {
			size, takes = perBlock, r.c.cfg.Timing.EraseBlock
		}
		if err := r.c.erase(int(sector)*sectorSize, int(size)*sectorSize); err != nil {
			return err
		}
		if err := r.c.busy(takes); err != nil {
			return err
		}
		sector, n = sector+size, n-size
	}
	return nil
}

// eraseUnit is the erase command that fits an aligned address with n bytes to
// go, as the stub chooses it: 64 KiB or 4 KiB.
func eraseUnit(t *Timing, address, n int) (size int, takes time.Duration) {
	if address%blockSize == 0 && n >= blockSize {
		return blockSize, t.EraseBlock
	}
	return sectorSize, t.EraseSector
}

// flashData programs a block and reads it back over the block itself. Both are
// left out without a word beyond the end of the flash, which therefore looks
// written. What tells is the checksum, eight bits of exclusive or.
func (r *rom) flashData(q *request) (int, bool, error) {
	t := &r.plain
	if r.expect(t, q, true) {
		return 0, true, nil
	}
	block := q.payload()[:q.word(0)]
	if t.encrypted {
		return r.encryptedData(block)
	}
	if err := r.program(t.address, block); err != nil {
		return 0, false, err
	}
	if within(t.address, uint32(len(block)), r.flashSize) {
		r.c.readFlash(block, int(t.address))
		if err := r.c.busy(at(r.c.cfg.Timing.ReadRate, len(block))); err != nil {
			return 0, false, err
		}
		if sum(block) != uint8(q.checksum) {
			return 0, r.refuse(romWriteError), nil
		}
	}
	t.advance(uint32(len(block)))
	return 0, false, nil
}

// encryptedData is a block to be encrypted, or one that no BEGIN announced. It ends
// up in the flash as it is, since nobody here knows the chip's key, and is not read
// back.
func (r *rom) encryptedData(block []byte) (int, bool, error) {
	t, n := &r.plain, uint32(len(block))
	if (t.address|n)%16 != 0 {
		return 0, r.refuse(romNoEncryption), nil
	}
	err := r.c.program(int(t.address)%r.c.flash.Size(), block)
	t.advance(n)
	return 0, false, err
}

// program writes to the flash (SPIWrite). It does nothing, without a word, beyond
// the end, and where the first page would not take whole words.
func (r *rom) program(address uint32, data []byte) error {
	page := pageSize - int(address%pageSize)
	if !within(address, uint32(len(data)), r.flashSize) || min(page, len(data))%4 != 0 {
		return nil
	}
	if err := r.c.program(int(address), data); err != nil {
		return err
	}
	return r.c.busy(r.c.cfg.Timing.programTime(len(data)))
}

// programTime is how long n bytes take to program.
func (t *Timing) programTime(n int) time.Duration {
	return time.Duration(int64(t.ProgramPage) * int64(n) / pageSize)
}

// flashEnd ends the loader even when it complains: with 0 by a reset of the CPU,
// else for user code, of which there is none.
func (r *rom) flashEnd(q *request) bool {
	r.leaving = true
	if r.plain.size != r.plain.written {
		return r.refuse(romFailed)
	}
	return r.finish(&r.plain, q)
}

// finish ends a transfer whose blocks have all come.
func (r *rom) finish(t *transfer, q *request) (failed bool) {
	if t.next != t.blocks {
		return r.refuse(romFailed)
	}
	if r.rebooting = q.data[0] == 0; r.rebooting {
		return r.succeed()
	}
	return false
}

func (r *rom) setParams(q *request) bool {
	if q.length != 24 {
		return r.refuse(romInvalid)
	}
	r.flashSize = q.word(1)
	return false
}

// addressBits takes how many bits of address the ROM sends to the flash: a byte each
// for erasing a sector and a block, for programming and for reading (the first four
// of rom_spiflash_legacy_funcs). 24 is usual; here it always is.
func (r *rom) addressBits(q *request) bool {
	if q.length != 8 {
		return r.refuse(romInvalid)
	}
	return false
}

func (r *rom) attach(q *request) bool {
	r.c.cpu.flash.pins = q.word(0)
	return r.succeed()
}

// readSlow answers 64 bytes, with what they held before where it refuses.
func (r *rom) readSlow(q *request) (int, bool, error) {
	address, n := q.word(0), q.word(1)
	switch {
	case n > romReadMax:
		return romReadMax, r.refuse(romReadLength), nil
	case !within(address, n, r.flashSize):
		return romReadMax, r.refuse(romReadError), nil
	}
	whole := (n + 3) &^ 3 // it reads words
	r.c.readFlash(r.answer[headerSize:headerSize+whole], int(address))
	return romReadMax, r.succeed(), r.c.busy(at(r.c.cfg.Timing.ReadRate, int(n)))
}

// md5 answers in hex digits; a refusal comes behind those of the last answer.
func (r *rom) md5(q *request) (int, bool, error) {
	const digits = 2 * md5.Size
	address, n := q.word(0), q.word(1)
	if int32(n) < 0 {
		n = 0
	}
	switch {
	case q.length > dataHeader+romMaxBlock:
		return digits, r.refuse(romInvalid), nil
	case n > 0 && !within(address, (n+3)&^3, r.flashSize): // it reads words
		return digits, r.refuse(romReadError), nil
	}
	sum, err := r.c.flashMD5(address, n)
	hex.Encode(r.answer[headerSize:], sum)
	return digits, r.succeed(), err
}

// flashMD5 takes the time that reading and hashing a region does. Its result has
// the length of a sum even when the chip is reset meanwhile.
func (c *Chip) flashMD5(address, size uint32) ([]byte, error) {
	h := md5.New()
	buf := make([]byte, blockSize)
	for done := uint32(0); done < size; {
		n := min(size-done, blockSize)
		c.readFlash(buf[:n], int(address+done))
		h.Write(buf[:n])
		done += n
		if err := c.busy(at(c.cfg.Timing.MD5Rate, int(n))); err != nil {
			return h.Sum(nil), err
		}
	}
	return h.Sum(nil), nil
}
