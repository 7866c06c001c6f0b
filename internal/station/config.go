package station

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/internal/credentials"
	"hoptech.co.nz/flashd/internal/firmware"
	"hoptech.co.nz/flashd/internal/hotplug"
	"hoptech.co.nz/flashd/jobs"
)

// Config is all that a station needs. Every field without a remark is required.
type Config struct {
	Name    string // of the station, shown to people
	Version string // of flashd, recorded with every attempt
	Store   *jobs.Store
	Release *firmware.Release
	// Previous is the release that the units are believed to hold: only what
	// differs from it is written. nil: nothing is known.
	Previous *firmware.Release
	// Releases finds another release by its name, to prove that the firmware of a
	// unit that has it is not touched by a rework. nil: there are no others.
	Releases func(name string) (*firmware.Release, error)
	Source   credentials.Source
	Open     func(context.Context, hotplug.Device) (flasher.Port, error)
	// ResetPort has the port of a unit that gives no sync start afresh, without
	// cutting its power; nil: nobody can. The unit may leave the USB with it
	// and come back.
	ResetPort func(context.Context, hotplug.Device) error
	// Hook is told what happens in the slots; nil: nobody is. No unit waits for
	// it. What happens in one slot it is told in order, one thing at a time. It
	// has to return soon when its context ends.
	Hook func(context.Context, Happening)

	// Unverified is why, and for whom, units in secure download mode are written
	// all the same: without knowing which they are, without credentials, and
	// without ever passing. "": they are left as they are.
	Unverified string

	Slots     []Slot        // in fixture order; none: every device is a slot of its own
	Flasher   FlasherConfig // how to talk to chips
	BootCheck BootCheck
	Rescue    string                // folder that keeps what a unit's NVS held until its rework is done; "": the unit alone has it
	KeyEscrow string                // folder that gets a copy of each unit's NVS keys; "": they are in the unit alone
	MaxPerHub int                   // how many units behind one USB hub are written at once; 0: all
	Retries   int                   // how often an attempt is begun again by itself where that may help
	Units     int                   // stop after that many finished units; 0: never
	Grace     time.Duration         // what running attempts get when the station is stopped
	Simulated bool                  // the units are simulated chips
	Registry  prometheus.Registerer // nil: no metrics
	Log       *slog.Logger
}

// Slot is one nest of the fixture: a place on the USB tree with a name.
type Slot struct {
	Path string // USB topology path: "1-1.2"
	Name string // as written beside it
}

// FlasherConfig says how chips are talked to.
type FlasherConfig struct {
	Baud   int    // for UARTs, in bits per second; 0: 115200
	NoStub bool   // use the ROM loader only
	Reset  string // how boards get into download mode that are wired otherwise; see flasher.Options
}

// BootCheck says whether a unit has to start and say its Device ID.
type BootCheck struct {
	Enabled bool
	Limit   time.Duration // what it gets for that
}
