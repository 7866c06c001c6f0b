package usbvm

import (
	"fmt"
	"os"
)

// Config says what the machine is to have beside the test binary.
type Config struct {
	Modules  []string          // kernel modules; what they depend on comes with them
	Spares   []string          // those that a test loads: see LoadSpares
	Devices  []string          // more of them, as arguments of QEMU
	Programs []string          // from the host's PATH or Debian's udev package, with their libraries
	Files    map[string]string // more files: path in the machine → path on the host
	Memory   int               // MiB; 0 is 1024
	Apart    []string          // tests that take long: they run in a second machine beside the first
}

// Main is the body of a TestMain. On the host it boots the machine, or two,
// passes the test flags on and exits with the tests' verdict; it fails, and says
// why, where the machine cannot be run. In the machine it runs the tests.
func Main(m interface{ Run() int }, cfg Config) {
	if os.Getpid() == 1 {
		guest(m)
		return
	}
	code, err := host(cfg, os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "usbvm:", err)
		os.Exit(1)
	}
	os.Exit(code)
}
