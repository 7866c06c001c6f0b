// Package usbip presents a simulated chip to the running kernel as the USB
// device it would be, so that everything between the cable and a tty is real:
// enumeration, uevents, drivers, DTR and RTS, unplugging.
//
// The kernel's vhci_hcd is a USB host controller whose ports are sockets: it
// speaks the URB part of the USB/IP protocol (Documentation/usb/usbip_protocol.rst)
// over a stream socket that it is handed through sysfs. A Board serves the
// other end. Plugging takes root and the module vhci_hcd; do it in a virtual
// machine.
//
// # What is real
//
// Descriptors, strings and endpoints are those that the real devices show, and
// the class and vendor requests those that Linux's cdc_acm, cp210x and ch341
// send. Each endpoint goes at its own pace: lines change while bytes wait. What
// nobody reads is lost when the device's buffer is full. A chip's own USB
// leaves the bus when the chip is reset as a whole and enumerates anew.
package usbip
