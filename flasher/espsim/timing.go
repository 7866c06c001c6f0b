package espsim

import "time"

// Timing says how long things take. The zero value takes no time at all.
type Timing struct {
	// UART makes each byte take ten bits at the baud rate of its sender.
	UART bool
	// USBRate is the throughput of the chip's own USB in bytes per second, each
	// way; 0 is no limit.
	USBRate int
	// Latency is added to each answer on its way to the host: adapter, USB
	// frame and driver. 1 ms is a good bridge, 16 ms an FTDI with the default
	// latency timer.
	Latency time.Duration

	ROMStart  time.Duration // reset released until the ROM loader listens
	StubStart time.Duration // MEM_END until OHAI
	AppStart  time.Duration // reset released until the application logs

	EraseSector time.Duration // 4 KiB
	EraseBlock  time.Duration // 64 KiB
	EraseChip   time.Duration // each MiB of a whole-chip erase
	ProgramPage time.Duration // 256 bytes

	ReadRate    int // flash read, bytes per second; 0 is no limit
	MD5Rate     int // flash read and MD5, bytes per second; 0 is no limit
	InflateRate int // inflated bytes per second; 0 is no limit
}

// Instant is a line and a flash that take no time: for tests of content.
var Instant = Timing{}

// Realistic returns the times of a typical unit with a W25Q64-like flash.
// On a UART erase times are typical values of the W25Q64JV; on the chip's own USB
// they, and the page times that the stub reaches with its 32-byte programs, are worked
// out from the figures in pull requests 73 of espressif/esp-flasher-stub and
// 781 of espressif/esptool. Rates of MD5, inflation and USB are estimates.
func Realistic(w Wiring) Timing {
	t := Timing{
		UART:        true,
		Latency:     time.Millisecond,
		ROMStart:    30 * time.Millisecond,
		StubStart:   12 * time.Millisecond,
		AppStart:    400 * time.Millisecond,
		EraseSector: 45 * time.Millisecond,
		EraseBlock:  150 * time.Millisecond,
		EraseChip:   2500 * time.Millisecond,
		ProgramPage: 860 * time.Microsecond,
		ReadRate:    3_000_000,
		MD5Rate:     1_500_000,
		InflateRate: 4_000_000,
	}
	if w.usb() {
		t.UART = false
		t.USBRate = 600_000
		t.Latency = 300 * time.Microsecond
		t.EraseBlock = 98 * time.Millisecond
		t.ProgramPage = 875 * time.Microsecond
	}
	return t
}

// at returns how long n units take at rate units per second.
func at(rate, n int) time.Duration {
	if rate <= 0 {
		return 0
	}
	return time.Duration(int64(n) * int64(time.Second) / int64(rate))
}
