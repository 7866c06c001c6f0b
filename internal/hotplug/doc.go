// Package hotplug tells which boards are plugged into which USB ports, and
// reports when one comes or goes.
//
// A listing is the truth. The kernel's uevents only say that it is time for
// another one, so nothing depends on catching each of them, or on their order:
// a slow periodic listing finds what was missed. A board is reported once its
// tty can be opened, which is up to half a second after it was plugged in.
//
// A place is a topology path such as "1-1.2" (bus 1, port 1 of its root hub,
// port 2 of the hub there), never a tty name or a serial number: CP2102s are
// all called "0001", CH340s have no name, and a board that re-enumerates while
// its old tty is open gets another tty.
//
// The package lists by sysfs, which takes a millisecond. The leaf package
// libusb lists and resets by libusb where cgo is on; its listing is for people,
// who can wait for it: libusb has to start afresh each time, which takes 60 to
// 400 ms where sysfs takes 1 to 100, and tells nothing more.
package hotplug
