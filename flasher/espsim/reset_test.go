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
