package flasher

import (
	"context"
	"encoding/binary"
	"errors"
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

// command sends one command and waits for its response, at most timeout.
func (d *Device) command(ctx context.Context, op Opcode, data []byte, sum uint32, timeout time.Duration) (response, []byte, error) {
	return d.exchange(ctx, op, request(op, sum, data), timeout)
}

// exchange sends a frame made by request and waits for the response to op.
func (d *Device) exchange(ctx context.Context, op Opcode, frame []byte, timeout time.Duration) (response, []byte, error) {
	if err := d.refuseBlind(op); err != nil {
		return response{}, nil, err
	}
	if err := d.catchUp(ctx, op); err != nil {
		return response{}, nil, commandError(op, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, Timeout)
	defer cancel()
	r, data, err := d.roundTrip(ctx, op, frame)
	d.behind = d.behind || ctx.Err() != nil && owes(op)
	return r, data, err
}

func (d *Device) roundTrip(ctx context.Context, op Opcode, frame []byte) (response, []byte, error) {
	if err := d.line.sendFrame(ctx, frame); err != nil {
		return response{}, nil, commandError(op, err)
	}
	for {
		packet, err := d.line.frame(ctx)
		if err != nil {
			return response{}, nil, commandError(op, err)
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
			return r, nil, &Error{Cmd: op, Kind: Rejected, Code: status}
		case r.op != op:
			continue // a late reply to SYNC
		case failed(status):
			return r, nil, &Error{Cmd: op, Kind: Rejected, Code: status}
		}
		return r, data, nil
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
	_, _, err := d.command(ctx, op, words(args...), 0, timeout)
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
	r, _, err := d.command(ctx, ReadReg, words(reg), 0, defaultTimeout)
	return r.value, err
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
// (esp-flasher-stub command_handler.c); of ROMs that is not documented.
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

// commandError makes an Error of what went wrong on the way.
func commandError(op Opcode, err error) error {
	var e *Error
	if errors.As(err, &e) {
		return err
	}
	return &Error{Cmd: op, Kind: kindOf(err), Err: causeOf(err)}
}

// kindOf finds the Kind in an error's chain; a cancelled context has none and
// is passed on as it is.
func kindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	var k Kind
	if errors.As(err, &k) {
		return k
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return Timeout // the caller's own limit
	}
	return IO
}

// causeOf keeps an error as a cause unless it is a bare Kind, which would only
// say the same word twice.
func causeOf(err error) error {
	if _, bare := err.(Kind); bare { //nolint:errorlint // a Kind that wraps nothing, and only that //nolint:errorlint // one that is wrapped says more
		return nil
	}
	return err
}

// opError names the operation in an error of a command below it.
func opError(op string, err error) error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		named := *e
		if named.Op == "" {
			named.Op = op
		}
		return &named
	}
	return &Error{Op: op, Kind: kindOf(err), Err: causeOf(err)}
}
