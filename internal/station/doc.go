// Package station takes units through the line: one goroutine a slot, one
// attempt an insertion, one list of phases for all.
//
// The path of a unit can be read from top to bottom in five files: station.go
// (Run), shift.go (sends what comes and goes to the slots, and winds down), slot.go
// (a slot waits for a unit, has it worked on, waits until it is gone), attempt.go
// (opens the record, runs the phases, closes the record) and provision.go (the list
// of phases, and how they are run). What the phases do is in files of their own, in
// the order of the list:
//
//	connect      connect.go, port.go, comeback.go, revive.go
//	identify     identify.go, unverified.go
//	ledger       ledger.go, rework.go
//	attach       write.go, layout.go
//	read_nvs     held.go, untouched.go
//	write        write.go, hub.go, plan.go
//	credentials  own.go, errand.go, answers.go, escrow.go, rescue.go
//	personalize  personalize.go
//	verify…      write.go, personalize.go, untouched.go
//	reboot       check.go
//	check        check.go, comeback.go
//
// What a failure means is in policy.go, what keeps the whole line waiting in hold.go,
// and what people see in board.go and view.go.
package station
