package espsim_test

import (
	"testing"

	"hoptech.co.nz/flashd/flasher/espsim"
)

// BenchmarkWrite is what the simulator itself costs: a megabyte written over a
// line and a flash that take no time.
func BenchmarkWrite(b *testing.B) {
	for _, loader := range []struct {
		name  string
		stub  bool
		block int
	}{{"stub", true, 0x4000}, {"rom", false, 0x400}} {
		b.Run(loader.name, func(b *testing.B) {
			const size = 1 << 20
			chip := espsim.New(espsim.Config{Model: espsim.ESP32S3, MAC: testMAC})
			defer chip.Close()
			c := connect(b, chip)
			c.lines(tight)
			c.settle()
			c.sync() // a ROM answers nothing before
			if loader.stub {
				c.startStub()
			}
			data := noise(size)
			b.SetBytes(size)
			for b.Loop() {
				c.command(0x02, size, uint32(size/loader.block), uint32(loader.block), 0x10000, 0)
				for seq := range size / loader.block {
					c.data(0x03, uint32(seq), data[seq*loader.block:][:loader.block])
				}
			}
		})
	}
}
