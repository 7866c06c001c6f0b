package flasher_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/flasher/espsim"
)

var testMAC = flasher.MAC{0x34, 0x85, 0x18, 0xAB, 0xCD, 0xEF}

const testFlash = 2 << 20

// simulate makes a chip with a small flash; faults are what is wrong with it.
func simulate(model *espsim.Model, wiring espsim.Wiring, faults ...espsim.Fault) *espsim.Chip {
	return espsim.New(espsim.Config{
		Model: model, MAC: testMAC, Flash: espsim.NewFlash(testFlash), Wiring: wiring,
		Timing: espsim.Realistic(wiring), Faults: faults,
		BootHeld: wiring == espsim.USBOTG, // nothing else leads into its download mode
	})
}

func optionsFor(wiring espsim.Wiring, noStub bool) flasher.Options {
	opts := flasher.Options{Baud: 921600, NoStub: noStub}
	switch wiring {
	case espsim.USBSerialJTAG:
		opts.Wiring = flasher.USBSerialJTAG
	case espsim.USBOTG:
		opts.Wiring = flasher.USBOTG
	}
	return opts
}

// open connects to chip as far as a write needs.
func open(ctx context.Context, chip *espsim.Chip, opts flasher.Options) (*flasher.Device, error) {
	port, err := chip.Open()
	if err != nil {
		return nil, err
	}
	return flasher.Open(ctx, port, opts)
}

// codeLike makes content that compresses about as machine code does.
func codeLike(size int) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, size)
	for i := range data {
		if rng.IntN(3) > 0 {
			data[i] = byte(rng.IntN(16))
		} else {
			data[i] = byte(rng.IntN(256))
		}
	}
	return data
}

func pack(t *testing.T, name string, offset uint32, data []byte) *flasher.Packed {
	t.Helper()
	p, err := flasher.Pack(name, offset, data)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestWriteVerifyReadOnEveryChipAndPath(t *testing.T) {
	for _, model := range espsim.Models() {
		for _, wiring := range []espsim.Wiring{espsim.Bridge, espsim.USBSerialJTAG, espsim.USBOTG} {
			if wiring == espsim.USBSerialJTAG && model.Console.USBSerialJTAG == 0 || wiring == espsim.USBOTG && model.Console.USBOTG == 0 {
				continue // has no such unit
			}
			for _, noStub := range []bool{false, true} {
				name := model.Name + map[espsim.Wiring]string{espsim.Bridge: "/bridge", espsim.USBSerialJTAG: "/usb-jtag", espsim.USBOTG: "/usb-otg"}[wiring] +
					map[bool]string{false: "/stub", true: "/rom"}[noStub]
				t.Run(name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						chip := simulate(model, wiring)
						defer chip.Close()
						writeVerifyRead(t, chip, optionsFor(wiring, noStub))
					})
				})
			}
		}
	}
}

func writeVerifyRead(t *testing.T, chip *espsim.Chip, opts flasher.Options) {
	t.Helper()
	d, err := open(t.Context(), chip, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if d.MAC() != testMAC {
		t.Errorf("MAC %s, want %s", d.MAC(), testMAC)
	}
	if d.Flash().Size() != testFlash {
		t.Errorf("flash of %d bytes, want %d", d.Flash().Size(), testFlash)
	}
	if stub := strings.HasPrefix(d.Loader(), "stub"); stub == opts.NoStub {
		t.Errorf("the loader is the %s", d.Loader())
	}

	app, nvs := codeLike(100_001), bytes.Repeat([]byte{0xFF}, 0x5000)
	copy(nvs, "not all blank")
	segments := []*flasher.Packed{pack(t, "app", 0x10000, app), pack(t, "nvs", 0x9000, nvs)}
	for _, s := range segments {
		last := 0
		progress := func(done, total int) {
			if done < last || total != s.Size {
				t.Errorf("progress %d of %d after %d", done, total, last)
			}
			last = done
		}
		if err := d.WriteFlash(t.Context(), s, progress); err != nil {
			t.Fatal(err)
		}
		if last != s.Size {
			t.Errorf("progress ended at %d of %d", last, s.Size)
		}
	}
	for _, s := range segments {
		if err := d.Verify(t.Context(), s); err != nil {
			t.Error(err)
		}
		if held, err := d.Holds(t.Context(), s); err != nil || !held {
			t.Errorf("Holds: %v, %v", held, err)
		}
	}
	flash := chip.Flash().Bytes()
	if !bytes.Equal(flash[0x10000:0x10000+len(app)], app) || !bytes.Equal(flash[0x9000:0xE000], nvs) {
		t.Error("the flash holds something else than was written")
	}
	got, err := d.ReadFlash(t.Context(), 0x9000, 5000, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, nvs[:5000]) {
		t.Error("what was read is not what was written")
	}
}

func TestVerifyTellsBlankFromWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := simulate(espsim.ESP32S3, espsim.Bridge, espsim.Fault{Kind: espsim.DeadSector, Address: 0x12000})
		defer chip.Close()
		d, err := open(t.Context(), chip, optionsFor(espsim.Bridge, false))
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		s := pack(t, "app", 0x10000, codeLike(20000))
		if err := d.Verify(t.Context(), s); !errors.Is(err, flasher.Blank) {
			t.Errorf("before the write: %v, want %v", err, flasher.Blank)
		}
		if err := d.WriteFlash(t.Context(), s, nil); err != nil {
			t.Fatal(err)
		}
		if err := d.Verify(t.Context(), s); !errors.Is(err, flasher.Mismatch) {
			t.Errorf("with a dead sector: %v, want %v", err, flasher.Mismatch)
		}
	})
}

// Whatever happens on the way, a write ends well or with the right word.
func TestFaults(t *testing.T) {
	const deflData = uint8(flasher.FlashDeflData)
	for _, tc := range []struct {
		name  string
		fault espsim.Fault
		want  error // nil: it is got over
	}{
		{"byte lost in a block", espsim.Fault{Kind: espsim.DropByte, Byte: 40_000}, nil},
		{"byte garbled in a block", espsim.Fault{Kind: espsim.GarbleByte, Byte: 40_000}, nil},
		{"answer lost", espsim.Fault{Kind: espsim.Silence, Op: deflData, Nth: 3}, nil},
		{"slow flash", espsim.Fault{Kind: espsim.Stall, Op: deflData, Nth: 2, For: 2 * time.Second}, nil},
		{"checksum refused once", espsim.Fault{Kind: espsim.Reject, Op: deflData, Nth: 2, Value: 0xC100}, nil},
		{"flash fails", espsim.Fault{Kind: espsim.Reject, Op: deflData, Nth: 2, Value: 0xC400, Times: -1}, flasher.Rejected},
		{"no answer any more", espsim.Fault{Kind: espsim.Silence, Op: deflData, Nth: 2, Times: -1}, flasher.Timeout},
		{"unplugged", espsim.Fault{Kind: espsim.DetachCommand, Op: deflData, Nth: 2}, flasher.Detached},
		{"unplugged within a frame", espsim.Fault{Kind: espsim.DetachByte, Byte: 40_000}, flasher.Detached},
		{"supply dips", espsim.Fault{Kind: espsim.BrownOut, Op: deflData, Nth: 2}, nil},
		{"supply dips ever again", espsim.Fault{Kind: espsim.BrownOut, Op: deflData, Nth: 2, Times: -1}, flasher.Timeout},
		{"stuck in its application", espsim.Fault{Kind: espsim.StuckBoot}, flasher.WrongBootMode},
		{"no flash chip", espsim.Fault{Kind: espsim.FlashID, Value: 0xFFFFFF}, flasher.BadFlash},
		{"stub does not start", espsim.Fault{Kind: espsim.NoStub}, flasher.Timeout},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				chip := simulate(espsim.ESP32S3, espsim.Bridge, tc.fault)
				defer chip.Close()
				s := pack(t, "app", 0x10000, codeLike(100_000))
				err := writeAndVerify(t.Context(), chip, s)
				if tc.want == nil && err != nil {
					t.Fatal(err)
				}
				if tc.want != nil && !errors.Is(err, tc.want) {
					t.Fatalf("got %v, want %v", err, tc.want)
				}
			})
		})
	}
}

func writeAndVerify(ctx context.Context, chip *espsim.Chip, s *flasher.Packed) error {
	d, err := open(ctx, chip, optionsFor(espsim.Bridge, false))
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.WriteFlash(ctx, s, nil); err != nil {
		return err
	}
	return d.Verify(ctx, s)
}

// A digest that the chip does not give is no digest that agrees.
func TestDigestsThatFail(t *testing.T) {
	const md5 = uint8(flasher.SPIFlashMD5)
	for name, tc := range map[string]struct {
		fault espsim.Fault
		want  error
	}{
		"stub refuses": {espsim.Fault{Kind: espsim.Reject, Op: md5, Value: 0xC400}, flasher.Rejected},
		"ROM refuses":  {espsim.Fault{Kind: espsim.Reject, Op: md5, Value: 0x06}, flasher.Rejected},
		"no answer":    {espsim.Fault{Kind: espsim.Silence, Op: md5, Times: -1}, flasher.Timeout},
		"unplugged":    {espsim.Fault{Kind: espsim.DetachCommand, Op: md5}, flasher.Detached},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				chip := simulate(espsim.ESP32S3, espsim.Bridge, tc.fault)
				defer chip.Close()
				d, err := open(t.Context(), chip, optionsFor(espsim.Bridge, name == "ROM refuses"))
				if err != nil {
					t.Fatal(err)
				}
				defer d.Close()
				s := pack(t, "app", 0x10000, codeLike(5000))
				if err := d.WriteFlash(t.Context(), s, nil); err != nil {
					t.Fatal(err)
				}
				if err := d.Verify(t.Context(), s); !errors.Is(err, tc.want) {
					t.Errorf("got %v, want %v", err, tc.want)
				}
			})
		})
	}
}

func TestBadMACIsRefused(t *testing.T) {
	for _, tc := range []struct {
		name  string
		model *espsim.Model
		mac   flasher.MAC
		fault []espsim.Fault
	}{
		{"blank", espsim.ESP32S3, flasher.MAC{}, nil},
		{"all ones", espsim.ESP32C3, flasher.MAC{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, nil},
		{"multicast", espsim.ESP32S3, flasher.MAC{0x35, 1, 2, 3, 4, 5}, nil},
		{"CRC", espsim.ESP32, testMAC, []espsim.Fault{{Kind: espsim.WrongMACCRC}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				chip := espsim.New(espsim.Config{Model: tc.model, MAC: tc.mac, Flash: espsim.NewFlash(testFlash), Faults: tc.fault})
				defer chip.Close()
				if _, err := open(t.Context(), chip, flasher.Options{}); !errors.Is(err, flasher.BadMAC) {
					t.Errorf("got %v, want %v", err, flasher.BadMAC)
				}
			})
		})
	}
}

func TestSecuredChipsAreNotWritten(t *testing.T) {
	for name, security := range map[string]espsim.Security{
		"flash encryption": {FlashEncryption: true},
		"secure boot":      {SecureBoot: true},
	} {
		for _, model := range []*espsim.Model{espsim.ESP32, espsim.ESP32S3, espsim.ESP32C3} {
			t.Run(name+"/"+model.Name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					chip := espsim.New(espsim.Config{Model: model, MAC: testMAC, Flash: espsim.NewFlash(testFlash), Security: security})
					defer chip.Close()
					err := writeAndVerify(t.Context(), chip, pack(t, "app", 0x10000, codeLike(5000)))
					if !errors.Is(err, flasher.Secured) {
						t.Errorf("got %v, want %v", err, flasher.Secured)
					}
					if blank := bytes.Repeat([]byte{0xFF}, testFlash); !bytes.Equal(chip.Flash().Bytes(), blank) {
						t.Error("the flash was touched")
					}
				})
			})
		}
	}
}

func TestRefusals(t *testing.T) {
	if _, err := flasher.Pack("app", 0x10100, []byte{1}); !errors.Is(err, flasher.BadImage) {
		t.Errorf("unaligned offset: %v", err)
	}
	if _, err := flasher.Pack("app", 0x10000, nil); !errors.Is(err, flasher.BadImage) {
		t.Errorf("no data: %v", err)
	}
	synctest.Test(t, func(t *testing.T) {
		chip := simulate(espsim.ESP32S3, espsim.Bridge)
		defer chip.Close()
		s := pack(t, "app", testFlash-flasher.SectorSize, make([]byte, 2*flasher.SectorSize))
		if err := writeAndVerify(t.Context(), chip, s); !errors.Is(err, flasher.TooLarge) {
			t.Errorf("beyond the end: %v", err)
		}
	})
}

// A board can be changed on a bridge that stays: nothing is unplugged then.
func TestConfirmMACNoticesAnotherBoard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := simulate(espsim.ESP32S3, espsim.Bridge)
		defer first.Close()
		second := espsim.New(espsim.Config{
			Model: espsim.ESP32S3, MAC: flasher.MAC{0x34, 0x85, 0x18, 1, 2, 3}, Flash: espsim.NewFlash(testFlash),
		})
		defer second.Close()
		ready, err := flasher.Connect(t.Context(), openPort(t, second), flasher.Options{}) // into download mode
		if err != nil {
			t.Fatal(err)
		}
		ready.Close()

		bridge := &bridge{board: openPort(t, first)}
		d, err := flasher.Connect(t.Context(), bridge, flasher.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if err := errors.Join(d.Identify(t.Context()), d.ConfirmMAC(t.Context())); err != nil {
			t.Fatal(err)
		}
		bridge.change(openPort(t, second))
		if err := d.ConfirmMAC(t.Context()); !errors.Is(err, flasher.WrongUnit) {
			t.Errorf("got %v, want %v", err, flasher.WrongUnit)
		}
	})
}

// bridge is a port on which the board can be changed.
type bridge struct {
	mu    sync.Mutex
	board flasher.Port
}

func (b *bridge) now() flasher.Port {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.board
}

func (b *bridge) change(board flasher.Port) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.board.Close()
	b.board = board
}

func (b *bridge) Read(p []byte) (int, error) {
	for {
		board := b.now()
		n, err := board.Read(p)
		if err == nil || board == b.now() {
			return n, err
		}
	}
}

func (b *bridge) Write(p []byte) (int, error)  { return b.now().Write(p) }
func (b *bridge) Close() error                 { return b.now().Close() }
func (b *bridge) SetBaud(baud int) error       { return b.now().SetBaud(baud) }
func (b *bridge) SetLines(dtr, rts bool) error { return b.now().SetLines(dtr, rts) }

func openPort(t *testing.T, chip *espsim.Chip) flasher.Port {
	t.Helper()
	port, err := chip.Open()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func TestCancelledContextEndsEveryWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := simulate(espsim.ESP32S3, espsim.Bridge)
		defer chip.Close()
		d, err := open(t.Context(), chip, optionsFor(espsim.Bridge, false))
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(300*time.Millisecond, cancel)
		start := time.Now()
		err = d.WriteFlash(ctx, pack(t, "app", 0x10000, codeLike(1_000_000)), nil)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
		if took := time.Since(start); took > 310*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
}

func TestRunningStubIsUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := simulate(espsim.ESP32S3, espsim.Bridge)
		defer chip.Close()
		d, err := open(t.Context(), chip, flasher.Options{})
		if err != nil {
			t.Fatal(err)
		}
		d.Close()
		port := lineless{openPort(t, chip)}
		if d, err = flasher.Open(t.Context(), port, flasher.Options{}); err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if diff := cmp.Diff("stub found running", d.Loader()); diff != "" {
			t.Errorf("loader (-want +got):\n%s", diff)
		}
		if d.HasResetLine() {
			t.Error("the port has no lines")
		}
		s := pack(t, "app", 0x10000, codeLike(5000))
		if err := errors.Join(d.WriteFlash(t.Context(), s, nil), d.Verify(t.Context(), s)); err != nil {
			t.Error(err)
		}
	})
}

// lineless hides the modem lines, as a socket has none.
type lineless struct{ flasher.Port }

func (lineless) SetLines(bool, bool) error { return errors.ErrUnsupported }
