package espsim

import "time"

// flashBootTimeout is how long the RTC watchdog that the ROM starts when it
// boots from flash waits (ESP-IDF, CONFIG_BOOTLOADER_WDT_TIME_MS), and
// superTimeout how long the super watchdog does.
const (
	flashBootTimeout = 9 * time.Second
	slowClock        = 136_000 // Hz, the RTC's RC oscillator
)

// watchdogUnit is the RTC watchdog. A core reset leaves it running: a chip that
// is brought into download mode over USB-Serial/JTAG while it boots from flash is
// reset in the middle of the session unless the host or the stub stops it.
type watchdogUnit struct {
	at time.Time // when it resets the chip; zero is never
}

// reset is a reset of the chip with the given cause.
func (w *watchdogUnit) reset(cause resetCause) {
	if cause.ofSystem() {
		w.at = time.Time{}
	}
}

// start lets it fire after d, or never if d is 0.
func (w *watchdogUnit) start(d time.Duration) {
	w.at = time.Time{}
	if d > 0 {
		w.at = time.Now().Add(d)
	}
}

func (w *watchdogUnit) deadline() (time.Time, bool) { return w.at, !w.at.IsZero() }

// before returns the earlier of t and the watchdog's time, and whether that is
// the watchdog's.
func (w *watchdogUnit) before(t time.Time) (time.Time, bool) {
	if w.at.IsZero() || t.Before(w.at) {
		return t, false
	}
	return w.at, true
}

func (w *watchdogUnit) cause() resetCause { return resetByRTC }
