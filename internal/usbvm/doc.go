// Package usbvm runs a test binary as the first process of a Debian kernel in a
// virtual machine, whose USB controller is a virtual one. There the tests of
// this package plug simulated units into real USB ports: the kernel enumerates
// them, makes their ttys, tells of them by uevents, and notices when the cable
// is pulled.
//
//	make test-usb
//
// The tests have the build tag usbvm and are no part of go test ./....
//
// On the host, Main packs its own executable, the kernel modules and what else
// is wanted into an initramfs, boots it under QEMU without KVM (init runs after
// some 2.5 s), and ends with the verdict of the machine. In the machine it is
// PID 1: it mounts what tests need, loads the modules and runs the tests.
package usbvm
