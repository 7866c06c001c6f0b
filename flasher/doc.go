// Package flasher writes firmware into Espressif chips over a serial line: it
// brings a chip into download mode, identifies it, writes and verifies its
// flash, reads it, and starts what was written. It knows the ESP32, S2, S3, C2,
// C3, C5, C6, C61, H2 and P4, on USB bridges and on the chips' own USB.
//
// # A session
//
// Make ready once what goes into every unit, then take each unit through a
// session of its own:
//
//	app, err := flasher.Pack("app", 0x10000, data)
//	...
//	d, err := flasher.Open(ctx, port, flasher.Options{Baud: 921600})
//	...
//	defer d.Close()
//	err = d.WriteFlash(ctx, app, nil)
//	err = d.Verify(ctx, app)
//	err = d.Reboot(ctx)
//
// Open does all that comes before a write. A program that has to decide on the
// way takes its steps itself, in this order:
//
//	Connect      resets the chip into its ROM loader and makes it answer
//	Identify     kind of chip, MAC, protections; stops watchdogs
//	StartStub    raises the baud rate, uploads Espressif's flasher stub; or
//	RaiseBaud    only raises the baud rate, and the ROM loader serves on
//	AttachFlash  finds the flash chip and its size
//
// The stub erases while it receives and reads fast; uploading it takes 0.1
// seconds, so that some sectors alone, such as an NVS partition, are written
// sooner without it. Everything works both ways.
//
// Then any number of writes: WriteFlash for a whole segment, UpdateFlash for
// one of which most stays, WriteChanges for a release of which an older one is
// known to be there. None of them verifies: Verify does, by a digest that the
// chip computes of what its flash holds. Verify everything after the last write.
// Holds tells whether a segment needs writing at all.
//
// After Reboot the Device takes no commands; Line reads what the application
// prints.
//
// # Ports
//
// A Port is bytes, a baud rate, and the lines DTR and RTS. Any serial library
// can be wrapped in one; what it lacks it reports with errors.ErrUnsupported,
// and then somebody else has to put the chip into download mode. Which reset
// leads there depends on the wiring: WiringOf knows it by USB vendor and
// product ID, and Options.Reset takes a sequence for boards that are wired
// otherwise. Every call on a port is given up when its time is over or its
// context ends: a device that vanished can hold an ioctl for seconds.
//
// # Failures
//
// Errors are *Error, and each has a Kind, which is the question to ask:
//
//	errors.Is(err, flasher.NoSync)    // nothing answered
//	errors.Is(err, flasher.Mismatch)  // the flash does not hold it
//
// What a line does to a session is mended where it can be: a damaged block is
// sent again, a broken stream begun again, a loader that was lost is reset,
// found to be the same unit and set up once more, and a rate that the line
// does not carry is lowered. What is left is an error. An error of the context
// is passed on.
//
// Refused before a byte is written: a segment that does not fit the flash, a
// flash chip that gives no plausible ID, a MAC that is blank, multicast or
// fails its CRC, and chips with flash encryption or secure boot, which would
// not start what is written in plain. A chip in secure download mode tells
// neither its MAC nor digests; Identify refuses it, unless
// Options.UnverifiedFlash says to write it all the same. Whether an image is
// for the chip is for the caller to ask: see ParseImage, Image.Chip and
// CheckRevision. Images are written as they are; only PatchImage changes one.
//
// # Lines without checksums
//
// USB checks what it carries; a UART does not, whether it is behind a bridge or a
// network. The protocol checks the data of a block by eight bits of exclusive or,
// and what the stub reads by an MD5. A bit that flips anywhere else, this package
// has to find out:
//
//   - Who the chip is and how it is protected, it is asked twice; the sizes by which
//     it erases, it is told twice.
//   - A BEGIN with another offset has the chip erase and write there. The segment
//     is then missing where it belongs, so Verify ends with a Mismatch; what was
//     hit instead shows in the Verify of that. Hence everything that matters is
//     to be verified after the last write, and what must not be touched compared
//     with a FlashMD5 from before.
//   - A BEGIN with another size has it erase more than what is written. The stub
//     tells at the end of the write, which is then Astray.
//   - A digest of another region is no digest that agrees, so that Verify fails;
//     it asks once more before it says so. Holds may be wrong where flash is
//     blank or holds the same twice; Verify is not.
//   - What ReadFlash has read, a digest of the chip has to confirm.
//
// Unnoticed remains what hits flash that nobody verifies: a sector that a stray
// BEGIN erased, although the write that it began is found out; a ROM loader's
// BEGIN with a larger size; and damage to a block that leaves its checksum right
// and inflates, in a ROM, to more than was announced. None of it can happen over
// USB.
//
// # Many units at once
//
// A Device serves one goroutine, and Devices know nothing of each other. A
// Packed may be used by all of them: compressed, framed and digested once, a
// unit costs some 0.05 seconds of a processor. One frame is on its way
// unacknowledged, never two: the stub drops a second.
//
// # Builds
//
// With the build tag libdeflate (and cgo, and Debian's libdeflate-dev) data is
// packed 4 % smaller. Package stub says where the stub comes from; a build
// without it uses the ROM loader. Package espsim is a chip to test against.
package flasher
