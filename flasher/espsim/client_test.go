package espsim_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"hoptech.co.nz/flashd/flasher/espsim"
	"hoptech.co.nz/flashd/flasher/slip"
)

// client is a host with the bare protocol and nothing else.
type client struct {
	t      testing.TB
	chip   *espsim.Chip
	port   *espsim.Port
	frames chan []byte
}

// answer is a reply taken apart; tail is what stands behind the header.
type answer struct {
	op    byte
	value uint32
	tail  []byte
}

func (a answer) status() uint16 { return binary.BigEndian.Uint16(a.tail[max(0, len(a.tail)-4):]) }

// stubStatus is the status in the stub's short form.
func (a answer) stubStatus() uint16 { return binary.BigEndian.Uint16(a.tail[len(a.tail)-2:]) }

// inBubble runs test against a chip in download mode, in fake time.
func inBubble(t *testing.T, cfg espsim.Config, test func(*testing.T, *client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if cfg.MAC == [6]byte{} {
			cfg.MAC = testMAC
		}
		chip := espsim.New(cfg)
		defer chip.Close()
		c := connect(t, chip)
		c.lines(map[espsim.Wiring][]step{espsim.Bridge: tight, espsim.USBSerialJTAG: usbJTAG}[cfg.Wiring])
		c.settle()
		test(t, c)
	})
}

// connect opens the port and collects the frames that come.
func connect(t testing.TB, chip *espsim.Chip) *client {
	t.Helper()
	port, err := chip.Open()
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, chip: chip, port: port, frames: make(chan []byte, 1000)}
	t.Cleanup(func() { port.Close() })
	go func() {
		var d slip.Decoder
		buf := make([]byte, 4096)
		for {
			n, err := port.Read(buf)
			if err != nil {
				close(c.frames)
				return
			}
			d.Write(buf[:n], func(p []byte) { c.frames <- bytes.Clone(p) })
		}
	}()
	return c
}

func (c *client) lines(steps []step) {
	c.t.Helper()
	for _, s := range steps {
		if err := c.port.SetLines(s.dtr, s.rts); err != nil {
			c.t.Fatal(err)
		}
		time.Sleep(s.stay)
	}
}

// settle lets the chip get where it is going, and forgets what it said.
func (c *client) settle() {
	time.Sleep(200 * ms)
	for len(c.frames) > 0 {
		<-c.frames
	}
}

// setBaud changes the host's rate.
func (c *client) setBaud(rate int) {
	c.t.Helper()
	if err := c.port.SetBaud(rate); err != nil {
		c.t.Fatal(err)
	}
}

// write puts bytes on the line.
func (c *client) write(b []byte) {
	c.t.Helper()
	if _, err := c.port.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

// next waits for a frame; nil is none within the time.
func (c *client) next(wait time.Duration) []byte {
	select {
	case f := <-c.frames:
		return f
	case <-time.After(wait):
		return nil
	}
}

// all returns the frames that come until the line has been quiet for a while.
func (c *client) all() (got []answer) {
	for f := c.next(50 * ms); f != nil; f = c.next(50 * ms) {
		got = append(got, parse(f))
	}
	return got
}

// parse takes a frame apart; one that is too short to be an answer is noise.
func parse(f []byte) answer {
	if len(f) < 8 {
		return answer{tail: f}
	}
	return answer{op: f[1], value: binary.LittleEndian.Uint32(f[4:]), tail: f[8:]}
}

// request is the frame of a command.
func request(op byte, data []byte, checksum uint32) []byte {
	b := []byte{0, op, byte(len(data)), byte(len(data) >> 8)}
	b = binary.LittleEndian.AppendUint32(b, checksum)
	return slip.Append(nil, append(b, data...))
}

func words(w ...uint32) []byte {
	var b []byte
	for _, x := range w {
		b = binary.LittleEndian.AppendUint32(b, x)
	}
	return b
}

// block is the data of a data command, with its right checksum.
func block(seq uint32, payload []byte) (data []byte, checksum uint32) {
	checksum = 0xEF
	for _, b := range payload {
		checksum ^= uint32(b)
	}
	return append(words(uint32(len(payload)), seq, 0, 0), payload...), checksum
}

// do sends a command and waits long for its answer.
func (c *client) do(op byte, data []byte, checksum uint32) answer {
	c.t.Helper()
	c.write(request(op, data, checksum))
	f := c.next(2 * time.Minute)
	if f == nil {
		c.t.Fatalf("command %#x was not answered", op)
	}
	return parse(f)
}

func (c *client) command(op byte, w ...uint32) answer { return c.do(op, words(w...), 0) }

func (c *client) data(op byte, seq uint32, payload []byte) answer {
	data, sum := block(seq, payload)
	return c.do(op, data, sum)
}

func (c *client) sync() []answer {
	c.write(request(0x08, append([]byte{7, 7, 0x12, 0x20}, bytes.Repeat([]byte{0x55}, 32)...), 0))
	return c.all()
}

// startStub uploads some program and starts it.
func (c *client) startStub() {
	c.t.Helper()
	if len(c.sync()) == 0 {
		c.t.Fatal("no answer to SYNC")
	}
	c.command(0x05, 64, 1, 0x1800, 0x40380000)
	c.data(0x07, 0, make([]byte, 64))
	c.command(0x06, 0, 0x40380010)
	if f := c.next(time.Second); string(f) != "OHAI" {
		c.t.Fatalf("the stub said %q, want OHAI", f)
	}
}

// noise is n bytes that do not compress, the same each time.
func noise(n int) []byte {
	r := rand.NewChaCha8([32]byte{1})
	b := make([]byte, n)
	_, _ = r.Read(b) // never fails
	return b
}

func deflate(data []byte) []byte {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, _ = z.Write(data) // a bytes.Buffer takes everything
	_ = z.Close()
	return b.Bytes()
}
