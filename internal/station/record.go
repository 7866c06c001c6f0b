package station

import (
	"errors"

	"hoptech.co.nz/flashd/jobs"
)

// newRecordKeeper looks after the record. Nothing may be done without it, so that it is
// waited for as long as it takes.
func newRecordKeeper() *keeper {
	return &keeper{
		hinders: unrecorded, trouble: "the record cannot be written",
		hint:    "Leave the board in its slot and call the engineer: it goes on by itself when there is room on the disk.",
		cure:    "Make room on the disk: units go on by themselves then.",
		passes:  func(err error) bool { return errors.Is(err, jobs.ErrUnwritten) },
		patient: true,
	}
}
