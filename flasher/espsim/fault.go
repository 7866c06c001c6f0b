package espsim

import (
	"slices"
	"time"
)

// FaultKind is what goes wrong.
type FaultKind string

// The kinds of fault. Each says which fields of Fault it reads.
const (
	DropByte       FaultKind = "drop"        // the byte at Byte from the host is lost
	GarbleByte     FaultKind = "garble"      // the byte at Byte from the host arrives inverted
	Stall          FaultKind = "stall"       // command Nth (with Op) is taken up after For only
	Silence        FaultKind = "silence"     // command Nth (with Op) is carried out, its answer lost
	Reject         FaultKind = "reject"      // command Nth (with Op) is refused with Value
	DetachCommand  FaultKind = "detach"      // the unit is unplugged at command Nth (with Op)
	DetachByte     FaultKind = "detach-byte" // the unit is unplugged at Byte from the host
	BrownOut       FaultKind = "brown-out"   // the supply dips at command Nth (with Op): the chip resets
	DeadSector     FaultKind = "dead-sector" // the sector at Address keeps what it holds
	FlashID        FaultKind = "flash-id"    // the flash answers RDID with Value
	FlashMode      FaultKind = "flash-mode"  // the flash was left in a mode from which the ROM cannot boot until the flash is reset
	XMCStart       FaultKind = "xmc"         // the flash is one of XMC that did not start with the supply
	StuckDownload  FaultKind = "stuck"       // every reset ends in download mode
	StuckBoot      FaultKind = "stuck-boot"  // no reset ends in download mode
	WrongMACCRC    FaultKind = "mac-crc"     // the efuses' CRC of the MAC is wrong (ESP32)
	MaxBaud        FaultKind = "max-baud"    // the line garbles what is faster than Value
	NoStub         FaultKind = "no-stub"     // an uploaded program does not start
	SilentApp      FaultKind = "silent-app"  // the application boots but logs nothing
	OtherDeviceID  FaultKind = "device-id"   // the application logs another unit's device ID
	DetachOnReboot FaultKind = "detach-boot" // the unit is gone when it boots from flash after a session
)

// Fault is one thing that goes wrong with a unit.
type Fault struct {
	Kind    FaultKind
	Op      uint8         // the command's opcode; 0 is any
	Nth     int           // the how many-th such command since the chip was made, from 1; 0 is 1
	Times   int           // how often from then on; 0 is once, -1 for ever
	Byte    int64         // position in what the host sent, from 0
	Address uint32        // flash address
	Value   uint32        // as the kind says
	For     time.Duration // as the kind says
}

// faults keeps count of the faults still to come. Chip.mu guards it.
type faults struct {
	all  []Fault
	seen []int // commands of the fault's kind so far
}

func (f *faults) plan(all []Fault) {
	f.all = slices.Clone(all)
	f.seen = make([]int, len(all))
}

// is returns the first fault of a kind.
func (f *faults) is(kind FaultKind) (Fault, bool) {
	i := slices.IndexFunc(f.all, func(f Fault) bool { return f.Kind == kind })
	if i < 0 {
		return Fault{}, false
	}
	return f.all[i], true
}

// has reports whether there is a fault of a kind.
func (f *faults) has(kind FaultKind) bool {
	_, ok := f.is(kind)
	return ok
}

// atCommand returns the faults that strike at a command, counting it.
func (f *faults) atCommand(op uint8) []Fault {
	var strike []Fault
	for i, fault := range f.all {
		switch fault.Kind {
		case Stall, Silence, Reject, DetachCommand, BrownOut:
		default:
			continue
		}
		if fault.Op != 0 && fault.Op != op {
			continue
		}
		f.seen[i]++
		late := f.seen[i] - max(fault.Nth, 1)
		if late >= 0 && (fault.Times < 0 || late < max(fault.Times, 1)) {
			strike = append(strike, fault)
		}
	}
	return strike
}

// atByte returns the fault that strikes at a byte of the host.
func (f *faults) atByte(position int64) (FaultKind, bool) {
	for _, fault := range f.all {
		switch fault.Kind {
		case DropByte, GarbleByte, DetachByte:
			if fault.Byte == position {
				return fault.Kind, true
			}
		}
	}
	return "", false
}

// deadSector reports whether the sector at an address does not take data.
func (f *faults) deadSector(address uint32) bool {
	for _, fault := range f.all {
		if fault.Kind == DeadSector && fault.Address/sectorSize == address/sectorSize {
			return true
		}
	}
	return false
}
