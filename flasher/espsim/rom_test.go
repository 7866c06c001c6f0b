package espsim_test

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/flasher/espsim"
)

// TestROMRefusals sends what real mask ROMs refuse, with the reasons that they give.
func TestROMRefusals(t *testing.T) {
	type exchange struct {
		op     byte
		words  []uint32
		status uint16
	}
	begin16 := []uint32{0x1000, 4, 0x400, 0x10000}
	begin20 := append(begin16, 0)
	for _, tc := range []struct {
		name  string
		model *espsim.Model
		with  []exchange
	}{
		{"begin of 20 bytes on ESP32", espsim.ESP32, []exchange{{0x02, begin20, 0x0105}, {0x02, begin16, 0}}},
		{"begin of 16 bytes on S3", espsim.ESP32S3, []exchange{{0x02, begin16, 0x0105}, {0x02, begin20, 0}}},
		{"unaligned", espsim.ESP32C3, []exchange{{0x02, []uint32{0x1000, 4, 0x400, 0x10100, 0}, 0x0106}}},
		{"past the end", espsim.ESP32C3, []exchange{{0x02, []uint32{0x2000, 8, 0x400, 0x1FF000, 0}, 0x0106}}},
		{"past the end, told of more", espsim.ESP32C3, []exchange{
			{0x0B, []uint32{0, 8 << 20, 0x10000, 0x1000, 0x100, 0xFFFF}, 0},
			{0x02, []uint32{0x2000, 8, 0x400, 0x3FF000, 0}, 0},
		}},
		{"block of 16 KiB", espsim.ESP32S3, []exchange{{0x02, []uint32{0x4000, 1, 0x4000, 0, 0}, 0x0105}}},
		{"block of 4 KiB", espsim.ESP32S3, []exchange{{0x02, []uint32{0x4000, 4, 0x1000, 0, 0}, 0}}},
		{"params of 20 bytes", espsim.ESP32S3, []exchange{{0x0B, []uint32{0, 8 << 20, 0x10000, 0x1000, 0x100}, 0x0105}}},
		{"slow read of 128 bytes", espsim.ESP32, []exchange{{0x0E, []uint32{0, 128}, 0x010A}}},
		{"slow read beyond the flash", espsim.ESP32, []exchange{{0x0E, []uint32{2 << 20, 64}, 0x0109}}},
		{"data without begin", espsim.ESP32, []exchange{{0x03, []uint32{4, 0, 0, 0, 0}, 0x0105}}},
		{"encryption of compressed data", espsim.ESP32S3, []exchange{{0x10, []uint32{0x1000, 4, 0x400, 0, 1}, 0x0164}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, espsim.Config{Model: tc.model, Timing: espsim.Realistic(espsim.Bridge)}, func(t *testing.T, c *client) {
				c.sync()
				for _, x := range tc.with {
					if got := c.command(x.op, x.words...).status(); got&0xFF00 != x.status&0xFF00 || x.status != 0 && got != x.status {
						t.Errorf("command %#x %x: status %04x, want %04x", x.op, x.words, got, x.status)
					}
				}
			})
		})
	}
}

func TestROMSync(t *testing.T) {
	inBubble(t, espsim.Config{Model: espsim.ESP32S3, Timing: espsim.Realistic(espsim.Bridge)}, func(t *testing.T, c *client) {
		got := c.sync()
		if len(got) != 8 {
			t.Fatalf("%d answers to SYNC, want 8", len(got))
		}
		for _, a := range got {
			if a.op != 0x08 || a.value != 0x20120707 || len(a.tail) != 4 || a.tail[0] != 0 {
				t.Errorf("answer %+v", a)
			}
		}
	})
}

// TestROMUnknownCommand looks for the answer that esptool drains for 0.2 s:
// eight refusals under the opcode of the command before, if that was SYNC.
func TestROMUnknownCommand(t *testing.T) {
	type refusal struct {
		op    byte
		times int
	}
	for _, tc := range []struct {
		model               *espsim.Model
		first, second, then refusal // behind one SYNC, two, and a READ_REG
	}{
		{espsim.ESP32, refusal{0x08, 8}, refusal{0x08, 8}, refusal{0x0A, 1}},
		{espsim.ESP32S3, refusal{0, 1}, refusal{0x08, 8}, refusal{0x0A, 1}},
	} {
		inBubble(t, espsim.Config{Model: tc.model, Timing: espsim.Realistic(espsim.Bridge)}, func(t *testing.T, c *client) {
			refused := func(want refusal) {
				t.Helper()
				c.write(request(0x55, nil, 0))
				got := c.all()
				if len(got) != want.times {
					t.Fatalf("%s: %d answers, want %d", tc.model.Name, len(got), want.times)
				}
				for _, a := range got {
					if a.op != want.op || a.status() != 0x0105 {
						t.Errorf("%s: answer %+v, want opcode %#x and status 0105", tc.model.Name, a, want.op)
					}
				}
			}
			c.sync()
			refused(tc.first)
			c.sync()
			refused(tc.second)
			c.command(0x0A, 0x40001000)
			refused(tc.then)
		})
	}
}

// TestROMWaitsForSync: a chip that has not found its host listens to nothing else.
func TestROMWaitsForSync(t *testing.T) {
	inBubble(t, espsim.Config{Model: espsim.ESP32C3}, func(t *testing.T, c *client) {
		c.write(request(0x0A, words(0x40001000), 0))
		if got := c.all(); len(got) != 0 {
			t.Fatalf("answers before SYNC: %+v", got)
		}
		c.sync()
		if a := c.command(0x0A, 0x40001000); a.value != espsim.ESP32C3.Magic {
			t.Errorf("READ_REG behind SYNC: %+v", a)
		}
	})
}

// TestROMBlocks covers what becomes of a block with a wrong number or sum.
func TestROMBlocks(t *testing.T) {
	inBubble(t, espsim.Config{Model: espsim.ESP32C3, Timing: espsim.Realistic(espsim.Bridge)}, func(t *testing.T, c *client) {
		c.sync()
		c.command(0x02, 0xC00, 3, 0x400, 0x1000, 0)
		payload := noise(0x400)
		want := func(a answer, status uint16, what string) {
			t.Helper()
			if a.status() != status && !(status == 0 && a.tail[0] == 0) {
				t.Errorf("%s: status %04x, want %04x", what, a.status(), status)
			}
		}
		want(c.data(0x03, 1, payload), 0x0105, "block 1 first")
		want(c.data(0x03, 0, payload), 0, "block 0 then")
		data, sum := block(1, payload)
		want(c.do(0x03, data, sum^1), 0x0107, "block 1 with a bad checksum")
		want(c.do(0x03, data, sum), 0x0105, "block 1 again")
		want(c.data(0x03, 2, payload), 0, "block 2")
		// The next block takes the lost one's place.
		flash := c.chip.Flash().Bytes()
		if !bytes.Equal(flash[0x1000:0x1400], payload) || !bytes.Equal(flash[0x1400:0x1800], payload) {
			t.Error("the good blocks are not in the flash")
		}
		if !bytes.Equal(flash[0x1800:0x1C00], bytes.Repeat([]byte{0xFF}, 0x400)) {
			t.Error("there are three blocks in the flash")
		}
	})
}

func TestROMWritesReadsBackAndHashes(t *testing.T) {
	data := noise(10_000)
	packed := deflate(data)
	inBubble(t, espsim.Config{Model: espsim.ESP32S3, Timing: espsim.Realistic(espsim.Bridge)}, func(t *testing.T, c *client) {
		c.sync()
		n := uint32(len(packed)+0x3FF) / 0x400
		c.command(0x10, 0x2800, n, 0x400, 0x2000, 0)
		for seq := range n {
			piece := packed[seq*0x400:][:min(0x400, len(packed)-int(seq*0x400))]
			if a := c.data(0x11, seq, piece); a.tail[0] != 0 {
				t.Fatalf("block %d: status %04x", seq, a.status())
			}
		}
		sum := md5.Sum(data)
		if a := c.command(0x13, 0x2000, 10_000, 0, 0); string(a.tail[:32]) != hex.EncodeToString(sum[:]) || a.tail[32] != 0 {
			t.Errorf("MD5 of the flash: %q", a.tail)
		}
		if a := c.command(0x0E, 0x2000, 64); !bytes.Equal(a.tail[:64], data[:64]) {
			t.Error("READ_FLASH_SLOW does not give what was written")
		}
	})
}

// TestROMNoticesFlashThatDoesNotProgram: the ROM reads each block back.
func TestROMNoticesFlashThatDoesNotProgram(t *testing.T) {
	cfg := espsim.Config{Model: espsim.ESP32S3, Faults: []espsim.Fault{{Kind: espsim.DeadSector, Address: 0x3000}}}
	inBubble(t, cfg, func(t *testing.T, c *client) {
		c.sync()
		c.command(0x02, 0x2000, 8, 0x400, 0x2000, 0)
		var got []uint16
		for seq := range uint32(8) {
			got = append(got, c.data(0x03, seq, noise(0x400)).status()&0xFF0F)
		}
		want := []uint16{0, 0, 0, 0, 0x0108, 0x0108, 0x0108, 0x0108}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("status of the blocks (-want +got):\n%s", diff)
		}
	})
}

func TestROMErasesInBegin(t *testing.T) {
	flash := espsim.NewFlash(4 << 20)
	if err := flash.Program(0x10000, make([]byte, 0x41000)); err != nil {
		t.Fatal(err)
	}
	inBubble(t, espsim.Config{Model: espsim.ESP32S3, Flash: flash, Timing: espsim.Realistic(espsim.Bridge)}, func(t *testing.T, c *client) {
		c.sync()
		begin := time.Now()
		c.command(0x02, 0x41000, 260, 0x400, 0x10000, 0)
		took := time.Since(begin)
		// 64 KiB in sectors, three blocks of 64 KiB, and a sector.
		if least := 16*45*ms + 3*150*ms + 45*ms; took < least || took > least+10*ms {
			t.Errorf("FLASH_BEGIN took %v, want little more than %v", took, least)
		}
		if !blank(c.chip.Flash().Bytes()[0x10000:0x51000]) {
			t.Error("not all of the region is erased")
		}
	})
}

func blank(b []byte) bool { return bytes.Count(b, []byte{0xFF}) == len(b) }

func TestROMFlashEnd(t *testing.T) {
	for _, tc := range []struct {
		flag uint32
		want espsim.State
	}{{1, espsim.Lost}, {0, espsim.Download}} {
		inBubble(t, espsim.Config{Model: espsim.ESP32C3, Timing: espsim.Realistic(espsim.Bridge)}, func(t *testing.T, c *client) {
			c.sync()
			resets := c.chip.Stats().Resets
			c.command(0x02, 0, 0, 0x400, 0x1000, 0)
			c.command(0x04, tc.flag)
			time.Sleep(200 * ms)
			if got := c.chip.State(); got != tc.want {
				t.Errorf("after FLASH_END(%d) the chip is in %v, want %v", tc.flag, got, tc.want)
			}
			if again := c.chip.Stats().Resets - resets; (again == 1) != (tc.flag == 0) {
				t.Errorf("after FLASH_END(%d) the chip was reset %d times", tc.flag, again)
			}
		})
	}
}

// TestROMSecurityInfo: with data in the request, as tinygo's espflasher sends it, too.
func TestROMSecurityInfo(t *testing.T) {
	for _, tc := range []struct {
		model  *espsim.Model
		length int
		id     byte
	}{{espsim.ESP32S3, 20, 9}, {espsim.ESP32P4, 20, 18}, {espsim.ESP32S2, 12, 0}} {
		inBubble(t, espsim.Config{Model: tc.model}, func(t *testing.T, c *client) {
			c.sync()
			for _, data := range [][]uint32{nil, {0, 0, 0, 0, 0}} {
				a := c.command(0x14, data...)
				if len(a.tail) != tc.length+4 || a.tail[tc.length] != 0 {
					t.Fatalf("%s: answer %x, want %d bytes and a good status", tc.model.Name, a.tail, tc.length)
				}
				if tc.length == 20 && a.tail[12] != tc.id {
					t.Errorf("%s: chip ID %d", tc.model.Name, a.tail[12])
				}
			}
		})
	}
}

func TestSecureDownloadMode(t *testing.T) {
	cfg := espsim.Config{Model: espsim.ESP32S3, Security: espsim.Security{SecureDownload: true, SecureBoot: true, FlashEncryption: true}}
	inBubble(t, cfg, func(t *testing.T, c *client) {
		c.sync()
		if a := c.command(0x14); a.tail[0] != 0b101 || a.tail[4] != 1 || a.tail[12] != 9 {
			t.Errorf("security info %x", a.tail)
		}
		for _, op := range []byte{0x0A, 0x09, 0x05, 0x13, 0x10} {
			c.write(request(op, words(0x40001000), 0))
			if got := c.all(); len(got) == 0 || got[0].status() != 0x0105 {
				t.Errorf("command %#x in secure download mode: %+v", op, got)
			}
		}
	})
}

func TestBaudRate(t *testing.T) {
	for _, model := range espsim.Models() {
		t.Run(model.Name, func(t *testing.T) {
			inBubble(t, espsim.Config{Model: model, Timing: espsim.Realistic(espsim.Bridge)}, func(t *testing.T, c *client) {
				c.sync()
				c.setBaud(460800)
				if got := c.sync(); len(got) != 0 {
					t.Fatal("the chip understood a host at another rate")
				}
				c.setBaud(115200)
				c.write(bytes.Repeat([]byte{0xC0}, 4)) // end what it made of that
				ask := uint32(460800)
				if model.ROMCrystal != 0 {
					ask = uint32(int64(ask) * int64(model.ROMCrystal) / int64(model.Crystal))
				}
				if a := c.command(0x0F, ask, 0); a.tail[0] != 0 {
					t.Fatalf("CHANGE_BAUDRATE: %+v", a)
				}
				time.Sleep(ms) // the ROM sends two ENDs at the old rate
				c.setBaud(460800)
				time.Sleep(10 * ms)
				if got := c.sync(); len(got) != 8 {
					t.Fatalf("%d answers at the new rate", len(got))
				}
			})
		})
	}
}

// TestROMMeasuresTheHost: before the first SYNC the ROM follows a slower host.
func TestROMMeasuresTheHost(t *testing.T) {
	inBubble(t, espsim.Config{Model: espsim.ESP32, Timing: espsim.Realistic(espsim.Bridge)}, func(t *testing.T, c *client) {
		c.setBaud(57600)
		if got := c.sync(); len(got) != 8 {
			t.Errorf("%d answers at 57600 baud", len(got))
		}
	})
}
