package jobs_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"hoptech.co.nz/flashd/jobs"
)

// An attempt is on disk before the unit is touched, and passes with its
// evidence. The unit is then refused until somebody allows a rework.
func Example() {
	dir, err := os.MkdirTemp("", "jobs")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	store, err := jobs.Open(filepath.Join(dir, "jobs.db"))
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	const unit = "A1B2C3D4E5F6"
	attempt := func() (uint64, jobs.Verdict) {
		a, err := store.Begin(jobs.Attempt{Slot: "left-1", Release: "gateway-1.4.2"})
		if err != nil {
			log.Fatal(err)
		}
		decision, err := store.Identify(a.ID, unit, "esp32s3")
		if err != nil {
			log.Fatal(err)
		}
		return a.ID, decision.Verdict
	}

	first, verdict := attempt()
	fmt.Println("a new unit:", verdict)
	if _, err := store.Finish(first, jobs.Result{
		Outcome: jobs.Pass, BootChecked: true,
		Verified: []jobs.Region{{Name: "app0", Offset: 0x10000, Size: 1 << 20}, {Name: "nvs", Offset: 0x9000, Size: 0x5000}},
	}); err != nil {
		log.Fatal(err)
	}
	_, verdict = attempt()
	fmt.Println("put in again:", verdict)
	if _, err := store.AllowRework(jobs.Rework{Unit: unit, Reason: "broker moved", By: "Ann"}); err != nil {
		log.Fatal(err)
	}
	_, verdict = attempt()
	fmt.Println("after a rework was allowed:", verdict)
	// Output:
	// a new unit: provision
	// put in again: already_passed
	// after a rework was allowed: rework_nvs
}
