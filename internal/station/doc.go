// Package station takes units through the line: one goroutine a slot, one
// attempt an insertion, one list of phases for all.
//
// The path of a unit can be read from top to bottom in four files: station.go
// (Run sends arrivals to their slots), slot.go (a slot waits for a unit, has
// it worked on, waits until it is gone), attempt.go (opens the record, runs
// the phases, closes the record) and provision.go (the phases).
package station
