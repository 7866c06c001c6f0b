package espsim

import (
	"crypto/md5"
	"encoding/binary"
)

// readPacketMax is the longest packet that READ_FLASH sends, in bytes.
const readPacketMax = 4096

// readFlash sends packets, each when the one before is acknowledged whatever
// window the host offers, until the host has acknowledged everything, and an MD5
// behind them.
func (s *stub) readFlash(q *request) (uint32, error) {
	address, size, packetSize := q.word(0), q.word(1), q.word(2)
	if packetSize > readPacketMax || packetSize == 0 && size > 0 {
		return stubBadLength, nil
	}
	s.release() // the buffer of this very command, for the acknowledgements
	if err := s.flashReady(); err != nil {
		return 0, err
	}
	sum := md5.New()
	packet := make([]byte, packetSize)
	for sent, acknowledged := uint32(0), uint32(0); sent < size || acknowledged < size; {
		if p := packet[:min(packetSize, size-sent)]; len(p) > 0 {
			if !wordsWithin(address+sent, uint32(len(p)), s.flashSize) {
				return stubFlashFailed, nil
			}
			s.c.readFlash(p, int(address+sent))
			sum.Write(p)
			if err := s.c.busy(at(s.c.cfg.Timing.ReadRate, len(p))); err != nil {
				return 0, err
			}
			if err := s.c.sendFrame(p); err != nil {
				return 0, err
			}
			sent += uint32(len(p))
		}
		var ok bool
		var err error
		if acknowledged, ok, err = s.acknowledgement(); err != nil {
			return 0, err
		}
		if !ok {
			break
		}
	}
	return stubOK, s.c.sendFrame(sum.Sum(nil))
}

// wordsWithin is within for the whole words that a region lies in.
func wordsWithin(address, size, flashSize uint32) bool {
	return within(address&^3, (size+address%4+3)&^3, flashSize)
}

// acknowledgement waits for the host's four bytes, which say how much it has; a
// frame of another length ends the read.
func (s *stub) acknowledgement() (received uint32, ok bool, err error) {
	frame, err := s.await()
	if err != nil {
		return 0, false, err
	}
	if ok = len(frame) == 4; ok {
		received = binary.LittleEndian.Uint32(frame)
	}
	s.release()
	return received, ok, nil
}
