package flasher_test

import (
	"bytes"
	"context"
	"fmt"
	"log"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/flasher/espsim"
)

// A unit is flashed, verified and started. The chip is a simulated one here; a
// real one needs a flasher.Port over a tty.
func Example() {
	chip := espsim.New(espsim.Config{Model: espsim.ESP32C3, MAC: [6]byte{0x7C, 0xDF, 0xA1, 0, 0, 1}})
	defer chip.Close()
	port, err := chip.Open()
	if err != nil {
		log.Fatal(err)
	}
	app, err := flasher.Pack("app", 0x10000, bytes.Repeat([]byte("firmware"), 10_000))
	if err != nil {
		log.Fatal(err)
	}

	ctx := context.Background()
	d, err := flasher.Open(ctx, port, flasher.Options{Baud: 921600})
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	fmt.Printf("%s, MAC %s, %d MB of flash\n", d.Chip(), d.MAC(), d.Flash().Size()>>20)
	if err := d.WriteFlash(ctx, app, nil); err != nil {
		log.Fatal(err)
	}
	if err := d.Verify(ctx, app); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d bytes written and verified\n", app.Size)
	if err := d.Reboot(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// ESP32-C3, MAC 7C:DF:A1:00:00:01, 8 MB of flash
	// 80000 bytes written and verified
}

// An older release that is known to be in the units is turned into a newer one
// by the sectors that differ.
func ExampleDevice_WriteChanges() {
	older := bytes.Repeat([]byte("firmware 1.0.0. "), 10_000)
	newer := bytes.Clone(older)
	copy(newer[50_000:], "a fix")

	from, err := flasher.Pack("app", 0x10000, older)
	if err != nil {
		log.Fatal(err)
	}
	to, err := flasher.Pack("app", 0x10000, newer)
	if err != nil {
		log.Fatal(err)
	}
	changes, err := to.Changes(from) // once, for all units
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range changes {
		fmt.Printf("%d bytes at %#x\n", c.Size, c.Offset)
	}
	// With a Device for each unit: d.WriteChanges(ctx, to, changes, nil)

	// Output:
	// 4096 bytes at 0x1c000
}
