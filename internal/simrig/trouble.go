package simrig

import (
	"encoding/binary"
	"math/rand/v2"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/flasher/espsim"
)

// trouble is what can be wrong with a unit that comes to the fixture.
type trouble struct {
	fault espsim.Fault
	once  bool // putting the unit in again helps
}

// troubles are of both sorts: what fails a unit, and what is an error of the rig.
var troubles = []trouble{
	{fault: espsim.Fault{Kind: espsim.SilentApp}},
	{fault: espsim.Fault{Kind: espsim.DeadSector, Address: 0x20000}},                                         // in the application
	{fault: espsim.Fault{Kind: espsim.FlashID, Value: 0xFFFFFF}},                                             // no flash chip answers
	{fault: espsim.Fault{Kind: espsim.Silence, Op: uint8(flasher.Sync), Times: -1}, once: true},              // a bad contact
	{fault: espsim.Fault{Kind: espsim.DetachCommand, Op: uint8(flasher.FlashDeflData), Nth: 20}, once: true}, // it slips out
}

// troubleOf returns what is wrong with a unit, nil for most: the same at every run with
// that seed.
func (c Config) troubleOf(mac flasher.MAC) *trouble {
	chance := c.chanceOf(mac, 0)
	if chance.Float64() >= c.Troubled {
		return nil
	}
	return &troubles[chance.IntN(len(troubles))]
}

// comesBack reports whether the operator takes a unit that has passed for one that is
// still to be done, as happens where piles lie side by side: the same at every run
// with that seed. The station refuses it, and then it leaves.
func (c Config) comesBack(mac flasher.MAC) bool {
	return c.Again > 0 && c.chanceOf(mac, 1).IntN(c.Again) == 0
}

// chanceOf decides one matter about a unit.
func (c Config) chanceOf(mac flasher.MAC, matter byte) *rand.Rand {
	number := [8]byte{matter}
	copy(number[2:], mac[:])
	return rand.New(rand.NewPCG(c.Seed, binary.BigEndian.Uint64(number[:]))) //nolint:gosec // to be repeated, not kept secret
}

// firstMAC is where the units of a new fixture begin: so that they have the same
// troubles, they are the same units.
func (c Config) firstMAC() uint32 {
	if c.Seed == 0 {
		return rand.Uint32()
	}
	return rand.New(rand.NewPCG(c.Seed, 0)).Uint32() //nolint:gosec // as above
}

// faultsOf are all faults of the unit that is put in now.
func (r *Rig) faultsOf(mac flasher.MAC) []espsim.Fault {
	t := r.cfg.troubleOf(mac)
	if t == nil || t.once && r.met[mac] {
		return r.cfg.Faults
	}
	r.met[mac] = true
	return append(r.cfg.Faults[:len(r.cfg.Faults):len(r.cfg.Faults)], t.fault)
}
