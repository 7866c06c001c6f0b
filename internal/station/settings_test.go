package station_test

import (
	"bytes"
	"testing"

	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/jobs"
)

// What was allowed while no daemon ran, or under another release, was not checked
// against the release that carries it out.
func TestReworkCannotSetCredentials(t *testing.T) {
	for name, r := range map[string]jobs.Rework{
		"name of another unit":    {Set: map[string]string{"mqtt_user": unitOf(2)}},
		"the same in full":        {Set: map[string]string{"gateway:mqtt_user:string": unitOf(2)}, KeepAll: true},
		"not provisioned":         {Set: map[string]string{"provisioned": "0"}},
		"not provisioned, as new": {Set: map[string]string{"gateway:provisioned:u8": "0"}, Reflash: true},
	} {
		t.Run(name, func(t *testing.T) {
			onReturn(t, bothReleases(t)["plain"], func(c *station.Config) { c.BootCheck.Enabled = false }, func(u *returned) {
				before, asked := u.unit.Flash().Bytes(), u.source.count()
				u.remove(left)
				r.Unit, r.Reason, r.By = unitOf(1), "customer return", "Eve"
				if _, err := u.store.AllowRework(r); err != nil {
					t.Fatal(err)
				}
				u.insert(left, u.unit)
				u.expect(u.result(left), jobs.Error, "ledger", "unfit")
				if !bytes.Equal(before, u.unit.Flash().Bytes()) {
					t.Error("the unit was written to")
				}
				if u.source.count() != asked {
					t.Error("credentials were asked for")
				}
			})
		})
	}
}
