package simrig

import (
	"math"
	"testing"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/flasher/espsim"
)

// A run with the same seed meets the same units with the same troubles, as many as
// are wanted, of all kinds.
func TestTroubles(t *testing.T) {
	const units = 10_000
	cfg := Config{Troubled: 0.1, Seed: 1}
	met := map[*trouble]int{}
	for n := range uint32(units) {
		mac := flasher.MAC{0x34, 0x85, 0x18, byte(n >> 16), byte(n >> 8), byte(n)}
		was := cfg.troubleOf(mac)
		if was != cfg.troubleOf(mac) {
			t.Fatalf("%s has another trouble the next time", mac)
		}
		met[was]++
	}
	if share := 1 - float64(met[nil])/units; math.Abs(share-0.1) > 0.01 {
		t.Errorf("%.3f of the units are in trouble, want 0.1", share)
	}
	if len(met) != len(troubles)+1 {
		t.Errorf("%d kinds of trouble, want %d", len(met)-1, len(troubles))
	}
	same, other := Config{Seed: 1}, Config{Seed: 2}
	if cfg.firstMAC() != same.firstMAC() || cfg.firstMAC() == other.firstMAC() {
		t.Error("the units do not depend on the seed alone")
	}
	if none := (Config{Seed: 1}); none.troubleOf(flasher.MAC{1}) != nil {
		t.Error("trouble that nobody asked for")
	}
}

// Putting a unit in again helps against what is a fault of the rig, and only that.
func TestTroubleThatPasses(t *testing.T) {
	r := &Rig{cfg: Config{Troubled: 1, Seed: 1}, met: map[flasher.MAC]bool{}}
	for n := range byte(100) {
		mac := flasher.MAC{0x34, 0x85, 0x18, 0, 0, n}
		first, second := r.faultsOf(mac), r.faultsOf(mac)
		once := first[0].Kind == espsim.Silence || first[0].Kind == espsim.DetachCommand
		if len(first) != 1 || len(second) != 1 && !once || len(second) != 0 && once {
			t.Errorf("faults %+v, then %+v", first, second)
		}
	}
}

// One in so many units comes back, the same ones with the same seed, whether or not
// something was wrong with them.
func TestComesBack(t *testing.T) {
	cfg, other := Config{Again: 10, Seed: 1}, Config{Again: 10, Seed: 2}
	back, same := 0, 0
	for n := range uint32(10_000) {
		mac := flasher.MAC{0x34, 0x85, 0x18, byte(n >> 16), byte(n >> 8), byte(n)}
		if (Config{Seed: 1}).comesBack(mac) {
			t.Fatalf("%s comes back, and none was to", mac)
		}
		if !cfg.comesBack(mac) {
			continue
		}
		back++
		if !cfg.comesBack(mac) {
			t.Fatalf("%s comes back only the first time", mac)
		}
		if other.comesBack(mac) {
			same++
		}
	}
	if back < 900 || back > 1100 || same > back/2 {
		t.Errorf("%d of 10000 units come back, %d of them with another seed, too; want one in ten", back, same)
	}
}
