// Package serialport opens the line to one chip as a flasher.Port: a tty, a
// pseudo-terminal, a raw TCP socket (socket://) or a serial port that another
// machine shares (rfc2217://).
//
// The bytes of a tty go through github.com/tarm/serial, which has neither
// modem lines nor a way to change the rate of an open port, and hides its
// file. So every tty is opened twice: the second descriptor carries the
// ioctls and the locks, and waits for bytes in the runtime's poller, where a
// Close or an unplugged cable ends the wait at once and no thread is held.
//
// The package is for Linux.
package serialport
