package espsim_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hoptech.co.nz/flashd/flasher/espsim"
)

var testMAC = [6]byte{0xA1, 0xB2, 0xC3, 0xD4, 0xE5, 0xF6}

// step is one setting of DTR and RTS, and how long it stays.
type step struct {
	dtr, rts bool
	stay     time.Duration
}

const ms = time.Millisecond

var (
	classic = []step{{false, true, 100 * ms}, {true, true, ms / 10}, {true, false, 50 * ms}, {false, false, 0}}
	tight   = []step{{false, false, 0}, {true, true, 0}, {false, true, 100 * ms}, {true, false, 50 * ms}, {false, false, 0}}
	usbJTAG = []step{{false, false, 100 * ms}, {true, false, 100 * ms}, {true, true, 0}, {false, true, 100 * ms}, {false, false, 0}}
	hard    = []step{{false, true, 100 * ms}, {false, false, 0}}
)

// TestResetSequences drives the lines as esptool does and looks where the chip ends up.
func TestResetSequences(t *testing.T) {
	for _, tc := range []struct {
		name   string
		wiring espsim.Wiring
		steps  []step
		want   espsim.State
		log    string
	}{
		{"classic", espsim.Bridge, classic, espsim.Download, "waiting for download"},
		{"tight", espsim.Bridge, tight, espsim.Download, "waiting for download"},
		{"hard", espsim.Bridge, hard, espsim.BootLoop, "rst:0x1 (POWERON),boot:0x8 (SPI_FAST_FLASH_BOOT)"},
		{"USB sequence on a bridge", espsim.Bridge, usbJTAG, espsim.BootLoop, "invalid header: 0xffffffff"},
		{"USB", espsim.USBSerialJTAG, usbJTAG, espsim.Download, "rst:0x15 (USB_UART_CHIP_RESET),boot:0x0 (DOWNLOAD"},
		{"hard on USB", espsim.USBSerialJTAG, hard, espsim.BootLoop, "rst:0x15 (USB_UART_CHIP_RESET),boot:0x8"},
	} {
		for _, timing := range []struct {
			name  string
			value espsim.Timing
		}{{"instant", espsim.Instant}, {"realistic", espsim.Realistic(tc.wiring)}} {
			t.Run(tc.name+"/"+timing.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					chip := espsim.New(espsim.Config{Model: espsim.ESP32S3, MAC: testMAC, Wiring: tc.wiring, Timing: timing.value})
					defer chip.Close()
					port, err := chip.Open()
					if err != nil {
						t.Fatal(err)
					}
					defer port.Close()
					for _, s := range tc.steps {
						if err := port.SetLines(s.dtr, s.rts); err != nil {
							t.Fatal(err)
						}
						time.Sleep(s.stay)
					}
					time.Sleep(100 * ms)
					if got := chip.State(); got != tc.want {
						t.Errorf("the chip is in %v, want %v", got, tc.want)
					}
					if log := available(t, port); !strings.Contains(log, tc.log) {
						t.Errorf("the log has no %q:\n%s", tc.log, log)
					}
				})
			})
		}
	}
}

// available reads what waits in the port's buffer.
func available(t *testing.T, port *espsim.Port) string {
	t.Helper()
	buf := make([]byte, 64<<10)
	n, err := port.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

// TestHeldBootPin: a jig that holds the boot pin keeps a unit in download mode
// whatever the host does; let go, it takes a reset of the whole system to leave.
func TestHeldBootPin(t *testing.T) {
	cfg := espsim.Config{
		Model: espsim.ESP32S3, Wiring: espsim.USBSerialJTAG, BootHeld: true,
		Flash: unit(t, espsim.ESP32S3, nil), Timing: espsim.Realistic(espsim.USBSerialJTAG),
	}
	inBubble(t, cfg, func(t *testing.T, c *client) {
		want := func(state espsim.State, when string) {
			t.Helper()
			c.settle()
			if got := c.chip.State(); got != state {
				t.Errorf("%s the chip is in %v, want %v", when, got, state)
			}
		}
		c.lines(hard)
		want(espsim.Download, "after RTS")
		c.chip.HoldBoot(false)
		c.lines(hard)
		want(espsim.Download, "let go, after RTS,")
		c.watchdogReset()
		time.Sleep(time.Second)
		want(espsim.App, "let go, after the watchdog,")
	})
}

// watchdogReset lets the RTC watchdog reset the chip, which takes 15 ms.
func (c *client) watchdogReset() {
	w := espsim.ESP32S3.Watchdog
	c.sync()
	c.command(0x09, w.Protect, 0x50D83AA1, 0xFFFFFFFF, 0, w.Config1, 2000, 0xFFFFFFFF, 0,
		w.Config0, 0xD0000102, 0xFFFFFFFF, 0)
}

func TestUSBOTG(t *testing.T) {
	for _, model := range []*espsim.Model{espsim.ESP32S2, espsim.ESP32S3, espsim.ESP32P4} {
		cfg := espsim.Config{Model: model, Wiring: espsim.USBOTG, BootHeld: true, Timing: espsim.Realistic(espsim.USBOTG)}
		inBubble(t, cfg, func(t *testing.T, c *client) {
			if got := len(c.sync()); got != 8 {
				t.Fatalf("%s: %d answers to SYNC", model.Name, got)
			}
			if a := c.command(0x0A, model.Console.Address); a.value != model.Console.USBOTG {
				t.Errorf("%s: the console is %d, want %d", model.Name, a.value, model.Console.USBOTG)
			}
			c.startStub()
			c.command(0x02, 0x1000, 2, 0x800, 0x10000)
			if a := c.data(0x03, 0, noise(0x800)); a.stubStatus() != 0 {
				t.Errorf("%s: a block of 2 KiB: %+v", model.Name, a)
			}
			data, sum := block(1, noise(0x1000))
			c.write(request(0x03, data, sum))
			if f := c.next(time.Second); f != nil {
				t.Errorf("%s: a block of 4 KiB is answered: %x", model.Name, f)
			}
			c.lines(hard)
			c = connect(t, c.chip) // the reset took the device off the bus
			c.settle()
			if got := c.chip.State(); got != espsim.Download {
				t.Errorf("%s: after RTS, with the pin held, the chip is in %v", model.Name, got)
			}
		})
	}
}
