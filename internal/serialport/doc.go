// Package serialport opens the line to one chip as a flasher.Port: a tty, a
// pseudo-terminal, a raw TCP socket (socket://) or a serial port that another
// machine shares (rfc2217://).
//
// The bytes of a tty go through github.com/tarm/serial, which has neither
// modem lines nor a way to change the rate of an open port, and hides its
// file. So every tty is opened twice: the second descriptor carries the
// ioctls and the locks.
//
// The kernel holds any call on a tty for as long as a device that does not
// answer keeps it waiting, and no other call ends that. So each is made on a
// goroutine that can be left behind, and ends when the kernel lets it go. That
// takes a thread for each open port.
//
// The package is for Linux.
package serialport
