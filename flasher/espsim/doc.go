// Package espsim simulates an Espressif chip at the end of a serial line: the
// ROM loader, the flasher stub once one is uploaded, NOR flash, efuses, the
// straps that DTR and RTS pull, and the log of what boots.
//
// It is written from Espressif's documents, from the source of their stub and
// from what real mask ROMs answer, and shares no code with package flasher:
// two readings of the protocol must agree. Clients that are neither (esptool,
// esptool-js) are its judges.
//
// # What is real
//
// Everything that a host can see: bytes, their time of arrival, errors in the
// very form that ROM and stub report them, drops when the stub's two frame
// buffers are full, garbage when the two ends disagree on the baud rate. Code
// is not executed. A program started with MEM_END is taken for Espressif's
// stub if its entry point lies in memory that was uploaded; anything else
// crashes the chip, as it would.
//
// # Time
//
// One goroutine is the chip's CPU. It keeps a clock of its own, which runs
// ahead by what each operation costs and then sleeps until the world's clock
// has caught up, so that late timers do not add up. All waiting is on channels
// and timers: a chip works inside a testing/synctest bubble.
package espsim
