package station

import "time"

// View is what people see of a station at one moment: the board, the API, the
// live table and the summary are all drawn from it. It holds no secrets.
type View struct {
	Station   string     `json:"station"`        // name of the station, by default its host name
	Release   string     `json:"release"`        // name of the release being written
	Version   string     `json:"version"`        // of flashd
	Simulated bool       `json:"simulated"`      // the units are simulated chips
	Started   time.Time  `json:"started"`        // when the daemon started
	Now       time.Time  `json:"now"`            // when this view was taken
	Held      string     `json:"held,omitempty"` // why the line waits or has stopped, in one sentence; "" while it runs
	Slots     []SlotView `json:"slots"`          // in fixture order
	Totals    Totals     `json:"totals"`
}

// Working is how many units are under way.
func (v View) Working() (n int) {
	for _, s := range v.Slots {
		if s.State == Working {
			n++
		}
	}
	return n
}

// SlotState is the one word that a tile shows.
type SlotState string

// The states of a slot.
const (
	Empty   SlotState = "empty"
	Working SlotState = "working"
	Passed  SlotState = "pass"
	Failed  SlotState = "fail"
	Errored SlotState = "error"   // the rig or its surroundings, not the unit
	Refused SlotState = "refused" // already done, or the same unit is in another slot
)

// Reworking is what a tile says of a rework; "" where there is none.
type Reworking string

// What can be said of a rework.
const (
	ReworkArmed Reworking = "armed" // allowed, and begun as soon as it can be
	ReworkNVS   Reworking = "nvs"   // under way or done: the NVS partition only
	ReworkAll   Reworking = "all"   // under way or done: everything
)

// SlotView is one slot at one moment.
type SlotView struct {
	Name     string    `json:"name"`               // as written beside the slot: "1", "left-2"
	Path     string    `json:"path"`               // USB topology path: "1-1.2"
	State    SlotState `json:"state"`              //
	Since    time.Time `json:"since"`              // when State began
	Unit     string    `json:"unit,omitempty"`     // device ID, once known
	Chip     string    `json:"chip,omitempty"`     //
	Attempt  uint64    `json:"attempt,omitempty"`  // ID in the record
	Phase    string    `json:"phase,omitempty"`    // while working: name of the phase
	Progress float64   `json:"progress"`           // while working: share of the whole attempt done, 0 to 1
	Message  string    `json:"message,omitempty"`  // what happened, or what is waited for, in one sentence
	Advice   string    `json:"advice,omitempty"`   // the one thing to do next, in plain words
	Rework   Reworking `json:"rework,omitempty"`   // of the unit that is there
	LastUnit string    `json:"lastUnit,omitempty"` // device ID of the unit that was here before, once it is gone
	LastWord SlotState `json:"lastWord,omitempty"` // and how it ended
}

// Totals count the units finished since the daemon started.
type Totals struct {
	Units          int     `json:"units"`          // units that ended with pass or fail
	Passed         int     `json:"passed"`         //
	Failed         int     `json:"failed"`         //
	Errors         int     `json:"errors"`         // attempts that the rig spoilt
	Refused        int     `json:"refused"`        // insertions refused
	FirstPassYield float64 `json:"firstPassYield"` // 0 to 1; 0 while Units is 0
	UnitsPerHour   float64 `json:"unitsPerHour"`   //
	CycleMedian    float64 `json:"cycleMedian"`    // seconds from attach to finish, of passed units
	CycleP95       float64 `json:"cycleP95"`       // seconds
}
