// Package flasher speaks the serial protocol of Espressif's ROM loaders and
// flasher stub: it brings a chip into download mode, identifies it, writes,
// verifies and reads its flash, and reboots it.
package flasher
