package espsim_test

import (
	"bytes"
	"crypto/md5"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"hoptech.co.nz/flashd/flasher/espsim"
	"hoptech.co.nz/flashd/flasher/slip"
)

// inStub runs test against a chip that runs the stub.
func inStub(t *testing.T, cfg espsim.Config, test func(*testing.T, *client)) {
	t.Helper()
	if cfg.Model == nil {
		cfg.Model = espsim.ESP32S3
	}
	inBubble(t, cfg, func(t *testing.T, c *client) {
		c.startStub()
		test(t, c)
	})
}

var realistic = espsim.Config{Timing: espsim.Realistic(espsim.Bridge)}

func TestStubRefusals(t *testing.T) {
	for _, tc := range []struct {
		name  string
		op    byte
		words []uint32
		want  uint16
	}{
		{"begin of 12 bytes", 0x10, []uint32{1, 1, 1}, 0xC000},
		{"data without begin", 0x11, []uint32{0, 0, 0, 0}, 0xC600},
		{"data of 8 bytes", 0x03, []uint32{0, 0}, 0xC800},
		{"end without begin", 0x12, []uint32{0}, 0xC600},
		{"attach of 8 bytes", 0x0D, []uint32{0, 0}, 0xC000},
		{"slow read", 0x0E, []uint32{0, 64}, 0xC300},
		{"unknown", 0x42, nil, 0xC300},
		{"erase of half a sector", 0xD1, []uint32{0, 2048}, 0xC000},
		{"begin beyond the flash", 0x02, []uint32{4096, 1, 0x4000, 8 << 20}, 0xC400},
		{"plugin", 0xD5, nil, 0xFF00},
		{"MD5 beyond the flash", 0x13, []uint32{8<<20 - 1, 2, 0, 0}, 0xC400},
		{"register write of 12 bytes", 0x09, []uint32{0, 0, 0}, 0xC800},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inStub(t, realistic, func(t *testing.T, c *client) {
				if a := c.command(tc.op, tc.words...); a.stubStatus() != tc.want || a.op != tc.op {
					t.Errorf("answer %+v, want status %04x", a, tc.want)
				}
			})
		})
	}
}

func TestStubSyncAndSecurityInfo(t *testing.T) {
	inStub(t, realistic, func(t *testing.T, c *client) {
		got := c.sync()
		if len(got) != 8 || got[0].value != 0 || len(got[0].tail) != 2 {
			t.Errorf("answers to SYNC: %+v", got)
		}
		if a := c.command(0x14); len(a.tail) != 22 || a.tail[12] != 9 {
			t.Errorf("security info: %x", a.tail)
		}
	})
	inStub(t, espsim.Config{Model: espsim.ESP32}, func(t *testing.T, c *client) {
		if a := c.command(0x14); a.stubStatus() != 0xFF00 {
			t.Errorf("security info of ESP32: %+v", a)
		}
	})
}

// deflBlocks sends data deflated in blocks of 16 KiB and returns the statuses.
func (c *client) deflBlocks(packed []byte) (statuses []uint16) {
	for seq := uint32(0); len(packed) > 0; seq++ {
		n := min(0x4000, len(packed))
		statuses = append(statuses, c.data(0x11, seq, packed[:n]).stubStatus())
		packed = packed[n:]
	}
	return statuses
}

func TestStubWriteHashRead(t *testing.T) {
	data := noise(200_000)
	packed := deflate(data)
	inStub(t, realistic, func(t *testing.T, c *client) {
		c.command(0x10, 200_000, uint32(len(packed)+0x3FFF)/0x4000, 0x4000, 0x10000)
		if got := c.deflBlocks(packed); slices.Max(got) != 0 {
			t.Fatalf("statuses %04x", got)
		}
		sum := md5.Sum(data)
		if a := c.command(0x13, 0x10000, 200_000, 0, 0); !bytes.Equal(a.tail[:16], sum[:]) {
			t.Error("MD5 differs")
		}
		if a := c.command(0x12, 1); a.stubStatus() != 0 {
			t.Errorf("FLASH_DEFL_END: %+v", a)
		}
		if !bytes.Equal(c.chip.Flash().Bytes()[0x10000:0x10000+200_000], data) {
			t.Error("the flash does not hold what was written")
		}
		read, digest := c.readFlash(0x10001, 50_000, 4096)
		if !bytes.Equal(read, data[1:50_001]) || digest != md5.Sum(read) {
			t.Error("READ_FLASH does not give what was written")
		}
	})
}

// readFlash acknowledges each packet, whatever window it offered.
func (c *client) readFlash(address, size, packet uint32) (data []byte, digest [16]byte) {
	c.t.Helper()
	c.command(0xD2, address, size, packet, 64)
	for len(data) < int(size) {
		f := c.next(time.Second)
		if f == nil {
			c.t.Fatalf("no packet after %d bytes", len(data))
		}
		if early := c.next(20 * ms); early != nil {
			c.t.Fatal("a packet came before the one in front of it was acknowledged")
		}
		data = append(data, f...)
		c.write(slip.Append(nil, words(uint32(len(data)))))
	}
	copy(digest[:], c.next(time.Second))
	return data, digest
}

// TestStubAcknowledgesFirst: the block's own work delays the next answer only.
func TestStubAcknowledgesFirst(t *testing.T) {
	data := noise(0x4000)
	inStub(t, realistic, func(t *testing.T, c *client) {
		c.setBaud(115200)
		c.command(0x02, 0x8000, 2, 0x4000, 0x10000)
		line := time.Duration(0x4000+0x300) * 10 * time.Second / 115200
		begin := time.Now()
		c.data(0x03, 0, data)
		if took := time.Since(begin); took > line+10*ms {
			t.Errorf("the acknowledgement took %v, the line %v", took, line)
		}
		begin = time.Now()
		c.command(0x13, 0x10000, 0x4000, 0, 0)
		if took, write := time.Since(begin), 64*860*time.Microsecond; took < write {
			t.Errorf("the next command took %v, want the %v of the write before it too", took, write)
		}
	})
}

// TestStubOwesErrors: a failure behind the acknowledgement answers the next
// command, which is not carried out.
func TestStubOwesErrors(t *testing.T) {
	inStub(t, realistic, func(t *testing.T, c *client) {
		c.command(0x10, 0x4000, 1, 0x4000, 0x10000)
		if a := c.data(0x11, 0, bytes.Repeat([]byte("not deflate"), 100)); a.stubStatus() != 0 {
			t.Fatalf("the bad block itself: %+v", a)
		}
		if a := c.command(0xD1, 0, 0x1000); a.stubStatus() != 0xC700 || a.op != 0xD1 {
			t.Errorf("the next command: %+v, want C700", a)
		}
		if a := c.command(0xD1, 0, 0x1000); a.stubStatus() != 0 {
			t.Errorf("the one after: %+v", a)
		}
	})
}

// TestStubSumOfStream: the stub looks at a stream's Adler-32 only if the stream ends
// in its first block, so that a host cannot do without the MD5.
func TestStubSumOfStream(t *testing.T) {
	packed := deflate(noise(0x1000))
	packed[len(packed)-1] ^= 1
	for _, tc := range []struct {
		name   string
		blocks [][]byte
		want   uint16
	}{
		{"one block", [][]byte{packed}, 0xC700},
		{"two blocks", [][]byte{packed[:1000], packed[1000:]}, 0},
	} {
		inStub(t, realistic, func(t *testing.T, c *client) {
			c.command(0x10, 0x1000, uint32(len(tc.blocks)), 0x4000, 0x10000)
			for i, b := range tc.blocks {
				c.data(0x11, uint32(i), b)
			}
			if a := c.command(0x0A, 0x40001000); a.stubStatus() != tc.want {
				t.Errorf("%s with a wrong sum: %+v, want status %04x", tc.name, a, tc.want)
			}
		})
	}
}

func TestStubBadChecksumIsNotWritten(t *testing.T) {
	inStub(t, realistic, func(t *testing.T, c *client) {
		c.command(0x02, 0x1000, 1, 0x4000, 0x10000)
		data, sum := block(0, noise(0x1000))
		if a := c.do(0x03, data, sum^0x10); a.stubStatus() != 0xC100 {
			t.Fatalf("answer %+v", a)
		}
		if a := c.do(0x03, data, sum); a.stubStatus() != 0 {
			t.Errorf("sent again: %+v", a)
		}
		if a := c.command(0x04, 1); a.stubStatus() != 0 {
			t.Errorf("FLASH_END: %+v", a)
		}
	})
}

func TestStubEndOfIncompleteData(t *testing.T) {
	inStub(t, realistic, func(t *testing.T, c *client) {
		c.command(0x02, 0x2000, 1, 0x4000, 0x10000)
		c.data(0x03, 0, noise(0x1000))
		if a := c.command(0x04, 1); a.stubStatus() != 0xC000 {
			t.Errorf("FLASH_END: %+v, want C000", a)
		}
	})
}

// TestStubHangsOnTooMuchData is a trap of the real stub.
func TestStubHangsOnTooMuchData(t *testing.T) {
	packed := deflate(noise(0x3000))
	inStub(t, realistic, func(t *testing.T, c *client) {
		c.command(0x10, 0x1000, 1, 0x4000, 0x10000)
		c.data(0x11, 0, packed)
		c.write(request(0x0A, words(0x40001000), 0))
		if f := c.next(10 * time.Second); f != nil {
			t.Errorf("answered %x", f)
		}
		if got := c.chip.State(); got != espsim.Lost {
			t.Errorf("state %v", got)
		}
	})
}

// TestStubWindow: one unacknowledged frame is received while the one before it
// is worked on; another has no buffer and is lost. So is one that follows without a
// pause, since its first byte comes before there is a buffer again.
func TestStubWindow(t *testing.T) {
	for _, tc := range []struct {
		frames  int
		pause   time.Duration
		answers int
		dropped bool
	}{{2, time.Second, 2, false}, {3, time.Second, 2, true}, {2, 0, 1, true}} {
		// A flash that is slow beside the line: each block outlasts the next one's arrival.
		cfg := realistic
		cfg.Timing.ProgramPage = 200 * ms
		inStub(t, cfg, func(t *testing.T, c *client) {
			c.command(0x02, 0xC000, 3, 0x4000, 0x10000)
			for seq := range tc.frames {
				data, sum := block(uint32(seq), noise(0x4000))
				c.write(request(0x03, data, sum))
				time.Sleep(tc.pause)
			}
			var answers int
			for c.next(time.Minute) != nil {
				answers++
			}
			if answers != tc.answers {
				t.Errorf("%d frames, %v apart: %d answers, want %d", tc.frames, tc.pause, answers, tc.answers)
			}
			if got := c.chip.Stats().Dropped > 0; got != tc.dropped {
				t.Errorf("%d frames, %v apart: dropped bytes: %v, want %v", tc.frames, tc.pause, got, tc.dropped)
			}
		})
	}
}

// TestStubBlankSectors: blank flash is not erased; from the first dirty sector
// on everything is.
func TestStubBlankSectors(t *testing.T) {
	data := noise(0x20000)
	write := func(dirty bool) (took time.Duration) {
		cfg := realistic
		cfg.Flash = espsim.NewFlash(8 << 20)
		if dirty {
			if err := cfg.Flash.Program(0x10000, []byte{0}); err != nil {
				t.Fatal(err)
			}
		}
		inStub(t, cfg, func(t *testing.T, c *client) {
			c.command(0x0F, 2_000_000, 115200)
			c.setBaud(2_000_000)
			time.Sleep(20 * ms)
			begin := time.Now()
			c.command(0x02, 0x20000, 8, 0x4000, 0x10000)
			for seq := range uint32(8) {
				c.data(0x03, seq, data[seq*0x4000:][:0x4000])
			}
			c.command(0x04, 1)
			took = time.Since(begin)
			if !bytes.Equal(cfg.Flash.Bytes()[0x10000:0x30000], data) {
				t.Error("the flash does not hold what was written")
			}
		})
		return took
	}
	blank, dirty := write(false), write(true)
	if more := dirty - blank; more < 150*ms || more > 300*ms {
		t.Errorf("dirty flash took %v longer than blank; two 64 KiB erases take 300 ms, partly hidden", more)
	}
}

func TestStubErase(t *testing.T) {
	inStub(t, realistic, func(t *testing.T, c *client) {
		flash := c.chip.Flash()
		if err := flash.Program(0, noise(0x40000)); err != nil {
			t.Fatal(err)
		}
		want := flash.Bytes()
		begin := time.Now()
		c.command(0xD1, 0xF000, 0x12000)
		if took, least := time.Since(begin), 240*ms; took < least || took > least+10*ms {
			t.Errorf("erasing a sector, a block and a sector took %v, want %v", took, least)
		}
		copy(want[0xF000:0x21000], bytes.Repeat([]byte{0xFF}, 0x12000))
		if !bytes.Equal(flash.Bytes(), want) {
			t.Error("not exactly the region was erased")
		}
		c.command(0xD0)
		if !bytes.Equal(flash.Bytes(), bytes.Repeat([]byte{0xFF}, flash.Size())) {
			t.Error("something is left after a chip erase")
		}
	})
}

// TestStubRegisters reads and writes with several entries, masks and delays,
// and runs RDID through the SPI controller.
func TestStubRegisters(t *testing.T) {
	inStub(t, realistic, func(t *testing.T, c *client) {
		begin := time.Now()
		c.command(0x09,
			0x3FC90000, 0x12345678, 0xFFFFFFFF, 0,
			0x3FC90000, 0xFFFFFFFF, 0x0000FF00, 20_000)
		if took := time.Since(begin); took < 20*ms {
			t.Errorf("the delay of 20 ms took %v", took)
		}
		if a := c.command(0x0A, 0x3FC90000); a.value != 0x1234FF78 {
			t.Errorf("the register holds %08x", a.value)
		}
		const base = 0x60002000
		c.command(0x09,
			base+0x28, 23, 0xFFFFFFFF, 0,
			base+0x18, 1<<31|1<<28, 0xFFFFFFFF, 0,
			base+0x20, 7<<28|0x9F, 0xFFFFFFFF, 0,
			base+0x58, 0, 0xFFFFFFFF, 0,
			base, 1<<18, 0xFFFFFFFF, 0)
		if a := c.command(0x0A, base); a.value&(1<<18) != 0 {
			t.Error("the SPI controller is still busy")
		}
		if a := c.command(0x0A, base+0x58); a.value != 0x1740EF {
			t.Errorf("flash ID %06x", a.value)
		}
	})
}

// TestFlashStatus writes status registers as esptool's write-flash-status does.
func TestFlashStatus(t *testing.T) {
	inStub(t, realistic, func(t *testing.T, c *client) {
		const base = 0x60002000
		run := func(op, sent, received, data uint32) uint32 {
			c.command(0x09,
				base+0x24, 8*sent-1, 0xFFFFFFFF, 0,
				base+0x28, 8*received-1, 0xFFFFFFFF, 0,
				base+0x18, 1<<31|1<<28|1<<27, 0xFFFFFFFF, 0,
				base+0x20, 7<<28|op, 0xFFFFFFFF, 0,
				base+0x58, data, 0xFFFFFFFF, 0,
				base, 1<<18, 0xFFFFFFFF, 0)
			return c.command(0x0A, base+0x58).value & 0xFF
		}
		run(0x01, 2, 1, 0x021C) // not enabled
		if low, high := run(0x05, 1, 1, 0), run(0x35, 1, 1, 0); low != 0 || high != 0 {
			t.Errorf("status %02x %02x after a write that was not enabled", low, high)
		}
		run(0x06, 1, 1, 0)
		run(0x01, 2, 1, 0x021C)
		run(0x50, 1, 1, 0)
		run(0x11, 1, 1, 0x60)
		if a := [3]uint32{run(0x05, 1, 1, 0), run(0x35, 1, 1, 0), run(0x15, 1, 1, 0)}; a != [3]uint32{0x1C, 0x02, 0x60} {
			t.Errorf("status %02x", a)
		}
	})
}

// TestEfuses reads the MAC as each chip keeps it.
func TestEfuses(t *testing.T) {
	for _, model := range espsim.Models() {
		inBubble(t, espsim.Config{Model: model}, func(t *testing.T, c *client) {
			c.sync()
			low := c.command(0x0A, model.Efuses.MAC).value
			high := c.command(0x0A, model.Efuses.MAC+4).value
			mac := binary.BigEndian.AppendUint16(nil, uint16(high))
			mac = binary.BigEndian.AppendUint32(mac, low)
			if !bytes.Equal(mac, testMAC[:]) {
				t.Errorf("%s: MAC %x", model.Name, mac)
			}
			// Dallas CRC-8 of A1B2C3D4E5F6, as espefuse works it out.
			if crc := uint8(high >> 16); model.Efuses.MACCRC && crc != 0xB2 {
				t.Errorf("%s: CRC of the MAC %02x", model.Name, crc)
			}
		})
	}
}

func TestProgramThatIsNotThere(t *testing.T) {
	inBubble(t, espsim.Config{Model: espsim.ESP32S3}, func(t *testing.T, c *client) {
		c.sync()
		c.command(0x05, 64, 1, 0x1800, 0x40380000)
		c.data(0x07, 0, make([]byte, 64))
		c.command(0x06, 0, 0x40390000)
		if f := c.next(time.Second); f != nil {
			t.Errorf("the chip said %q", f)
		}
		if got := c.chip.State(); got != espsim.Lost {
			t.Errorf("state %v", got)
		}
	})
}
