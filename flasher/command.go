package flasher

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"hoptech.co.nz/flashd/flasher/slip"
)

// defaultTimeout is what a loader gets for a command without flash work
// (esptool loader.py DEFAULT_TIMEOUT).
const defaultTimeout = 3 * time.Second

// checksumSeed starts the XOR checksum of data payloads (serial-protocol.rst
// "Checksum").
const checksumSeed = 0xEF

func checksum(payload []byte) uint32 {
	sum := byte(checksumSeed)
	for _, b := range payload {
		sum ^= b
	}
	return uint32(sum)
}

// words packs u32 values, little-endian, as every command wants them.
func words(values ...uint32) []byte {
	out := make([]byte, 0, 4*len(values))
	for _, v := range values {
		out = binary.LittleEndian.AppendUint32(out, v)
	}
	return out
}

// request returns the frame of a command:
//
//	00 | opcode u8 | length u16 | checksum u32 | data
func request(op Opcode, sum uint32, data ...[]byte) []byte {
	size := 0
	for _, part := range data {
		size += len(part)
	}
	packet := make([]byte, 0, 8+size)
	packet = append(packet, 0, byte(op))
	packet = binary.LittleEndian.AppendUint16(packet, uint16(size))
	packet = binary.LittleEndian.AppendUint32(packet, sum)
	for _, part := range data {
		packet = append(packet, part...)
	}
	return slip.Append(make([]byte, 0, len(packet)+len(packet)/64+2), packet)
}

// response is a loader's answer:
//
//	01 | opcode u8 | length u16 | value u32 | data | status
type response struct {
	op    Opcode
	value uint32
	body  []byte // data and status
}

func parseResponse(packet []byte) (response, error) {
	if len(packet) < 8 || packet[0] != 1 {
		return response{}, fmt.Errorf("%w: %d bytes that are no response", BadFrame, len(packet))
	}
	size := int(binary.LittleEndian.Uint16(packet[2:]))
	body := packet[8:]
	if size > len(body) {
		return response{}, fmt.Errorf("%w: response to %s is cut short (%d of %d bytes)", BadFrame, Opcode(packet[1]), len(body), size)
	}
	return response{op: Opcode(packet[1]), value: binary.LittleEndian.Uint32(packet[4:]), body: body[:size]}, nil
}

// split takes a response's body apart. A stub's status has two bytes, a
// ROM's four, of which only the first tells success and the second the
// reason; the last two mean nothing (serial-protocol.rst "Status bytes"; real
// ROMs leave stale bytes there).
func (r response) split(stub bool) (data []byte, status uint16, ok bool) {
	n := 4
	if stub {
		n = 2
	}
	if len(r.body) < n {
		// Even a ROM sends no more than two bytes with some errors.
		if n = 2; len(r.body) < n {
			return nil, 0, false
		}
	}
	at := len(r.body) - n
	return r.body[:at], binary.BigEndian.Uint16(r.body[at:]), true
}

// failed reports whether a status says that the command failed. The reason
// byte of a success is stale.
func failed(status uint16) bool { return status>>8 != 0 }

// senseless reports whether no loader sends such a status: of a failure the first
// byte is 1 from a ROM, and C0 or above from the stub.
func senseless(status uint16) bool { return failed(status) && status>>8 != 1 && status < badDataLength }

// reply is what a loader says to a command that it has carried out.
type reply struct {
	value uint32
	data  []byte
}

// command sends a command without a checksum and waits for its reply, at most
// timeout.
func (d *Device) command(ctx context.Context, op Opcode, data []byte, timeout time.Duration) (reply, error) {
	return d.exchange(ctx, op, request(op, 0, data), timeout)
}

// exchange sends a frame made by request and waits for the reply to op.
func (d *Device) exchange(ctx context.Context, op Opcode, frame []byte, timeout time.Duration) (reply, error) {
	if err := d.refuseBlind(op); err != nil {
		return reply{}, err
	}
	if err := d.catchUp(ctx, op); err != nil {
		return reply{}, commandError(op, err)
	}
	until := time.Now().Add(timeout)
	ctx, cancel := context.WithDeadlineCause(ctx, until, Timeout)
	defer cancel()
	r, err := d.roundTrip(ctx, op, frame)
	if ctx.Err() != nil && owes(op) {
		d.behind, d.owedUntil = true, until
	}
	return r, err
}

func (d *Device) roundTrip(ctx context.Context, op Opcode, frame []byte) (reply, error) {
	if err := d.line.sendFrame(ctx, frame); err != nil {
		return reply{}, commandError(op, err)
	}
	for {
		packet, err := d.line.frame(ctx)
		if err != nil {
			return reply{}, commandError(op, err)
		}
		r, err := parseResponse(packet)
		if err != nil {
			continue // noise that happened to look like a frame
		}
		data, status, ok := r.split(d.stub)
		switch {
		case !ok:
			continue
		case status == invalidMessage && !d.stub:
			// The ROM says this eight times over, and with the opcode of the
			// command before.
			d.drain(ctx)
			return reply{}, &Error{Cmd: op, Kind: Rejected, Code: status}
		case r.op != op:
			continue // a late reply to SYNC
		case senseless(status):
			return reply{}, &Error{Cmd: op, Kind: BadFrame}
		case failed(status):
			return reply{}, &Error{Cmd: op, Kind: Rejected, Code: status}
		}
		return reply{r.value, data}, nil
	}
}

// drain takes in what else a loader has to say: eight SYNC replies, eight
// errors.
func (d *Device) drain(ctx context.Context) {
	// 14 bytes eight times are 10 ms at 115200 baud; the rest is USB latency.
	_ = d.line.settle(ctx, quietLine, 200*time.Millisecond)
}

// quietLine is how long a line is silent when a loader has said all.
const quietLine = 30 * time.Millisecond

// simple sends a command whose answer carries nothing.
func (d *Device) simple(ctx context.Context, op Opcode, timeout time.Duration, args ...uint32) error {
	_, err := d.command(ctx, op, words(args...), timeout)
	return err
}

// dataFrame returns the frame of a *_DATA command: a header of four words, then the payload, of
// which alone the checksum is.
func dataFrame(op Opcode, seq int, payload []byte) []byte {
	head := words(uint32(len(payload)), uint32(seq), 0, 0)
	return request(op, checksum(payload), head, payload)
}

// readReg reads a 32-bit register.
func (d *Device) readReg(ctx context.Context, reg uint32) (uint32, error) {
	r, err := d.command(ctx, ReadReg, words(reg), defaultTimeout)
	return r.value, err
}

// regReader reads a register.
type regReader func(reg uint32) (uint32, error)

func (d *Device) reader(ctx context.Context) regReader {
	return func(reg uint32) (uint32, error) { return d.readReg(ctx, reg) }
}

// writeReg writes a 32-bit register under a mask.
func (d *Device) writeReg(ctx context.Context, reg, value, mask uint32) error {
	return d.simple(ctx, WriteReg, defaultTimeout, reg, value, mask, 0)
}

// changeReg clears and sets bits of a register.
func (d *Device) changeReg(ctx context.Context, reg, clearBits, setBits uint32) error {
	value, err := d.readReg(ctx, reg)
	if err != nil {
		return err
	}
	return d.writeReg(ctx, reg, value&^clearBits|setBits, 0xFFFFFFFF)
}

// regWrite is a register and what is to be written into it.
type regWrite struct{ reg, value uint32 }

// writeRegs writes registers in order. The stub takes them all in one frame
// (esp-flasher-stub command_handler.c); of ROMs that is not documented, and seen on
// those of ESP32, S3 and C3 only.
func (d *Device) writeRegs(ctx context.Context, writes ...regWrite) error {
	if !d.stub {
		for _, w := range writes {
			if err := d.writeReg(ctx, w.reg, w.value, 0xFFFFFFFF); err != nil {
				return err
			}
		}
		return nil
	}
	var args []uint32
	for _, w := range writes {
		args = append(args, w.reg, w.value, 0xFFFFFFFF, 0)
	}
	return d.simple(ctx, WriteReg, defaultTimeout, args...)
}
