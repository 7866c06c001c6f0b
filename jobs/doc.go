// Package jobs is the durable record of a station: every unit it has seen,
// every attempt to provision one, and every permission to do it again.
//
// The record also decides. [Store.Identify] binds a unit to an attempt and
// says, in the same transaction, what may be done to it; [Store.Finish] takes a
// pass only with its evidence. So the promises of a station hold whatever its
// pipeline does:
//
//   - An attempt is on disk before [Store.Begin] returns, so before any flash is touched.
//   - A pass needs regions verified on the chip and, where it is on, the boot check.
//   - A unit that has passed is not provisioned again without a [Rework].
//   - A unit is worked on by one attempt at a time.
//   - A failure of the unit and one of the rig are never mixed.
//   - What was acknowledged survives kill -9; [Store.Recover] closes what was open.
//   - No field holds a secret. The source of the credentials is one word, sentences
//     are stripped of bearer tokens and long hexadecimal runs, and no digest of a
//     partition that holds secrets is kept.
//   - What was archived has been on disk elsewhere, and read again, before it is
//     deleted; units and reworks are never deleted.
//
// # The file
//
// The store is one bbolt file, open in one process at a time. Records are JSON
// objects, with times in RFC 3339 and UTC. Numbers in keys are 64-bit big-endian,
// so that key order is numeric order; START is nanoseconds since 1970.
//
//	bucket            key              value
//	meta              "schema"         schema version in decimal digits: "2"
//	attempts          ID               Attempt, its phases and regions as columns
//	attempts-by-start START ID         empty
//	attempts-by-unit  UNIT START ID    empty; once the unit is identified
//	attempts-by-word  WORD             a bucket of START ID
//	attempts-open     START ID         empty; removed when the attempt is finished
//	units             UNIT             Unit
//	reworks           ID               Rework
//	reworks-by-unit   UNIT ID          empty
//	archives          ID               Archive
//
// UNIT is a device ID: the unit's base MAC as twelve upper-case hex digits. WORD is
// one that a Filter knows: slot=NAME, release=NAME, outcome=, kind=, phase=, blame=.
// IDs count from 1 in the order in which attempts, or reworks, were recorded.
// A unit's record carries its summary, and indexes end in START ID, so that
// looking up a unit, or the newest attempts of any kind, costs the same after a
// million attempts as after ten; BENCHMARKS.md has the numbers.
//
// Schema 1 had neither words nor archives, and attempts as they are in an API
// answer. It is migrated when it is opened for writing, and a copy kept.
//
// Beside the file, FILE.mark says how flashd left it, so that the next Open need not
// read all of it. It may be removed while no flashd runs.
package jobs
