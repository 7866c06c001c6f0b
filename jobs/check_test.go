package jobs_test

import (
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"hoptech.co.nz/flashd/jobs"
)

func TestCheckFinds(t *testing.T) {
	t.Parallel()
	put := func(bucket, key, value string) func(*bbolt.Tx) error {
		return func(tx *bbolt.Tx) error { return tx.Bucket([]byte(bucket)).Put([]byte(key), []byte(value)) }
	}
	// drop deletes the first key of a bucket.
	drop := func(bucket string) func(*bbolt.Tx) error {
		return func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte(bucket))
			k, _ := b.Cursor().First()
			return b.Delete(k)
		}
	}
	const one, nine = "\x00\x00\x00\x00\x00\x00\x00\x01", "\x00\x00\x00\x00\x00\x00\x00\x09"
	for name, tt := range map[string]struct {
		change func(*bbolt.Tx) error
		want   string
	}{
		"attempt unreadable":     {put("attempts", one, "{"), `bucket "attempts": key 1: damaged record`},
		"attempt under other ID": {put("attempts", nine, `{"id":1}`), "key 9: damaged record"},
		"attempt lost":           {drop("attempts"), "attempts-by-start has 3 entries, want 2"},
		"start index lost":       {drop("attempts-by-start"), "missing in attempts-by-start"},
		"unit index lost":        {drop("attempts-by-unit"), "missing in attempts-by-unit"},
		"open index lost":        {drop("attempts-open"), `outcome "" does not agree with attempts-open`},
		"open index stale":       {put("attempts-open", nine+nine, ""), "attempts-open has 2 entries, want 1"},
		"unit unreadable":        {put("units", unitA, "[]"), "key A1B2C3D4E5F6: damaged record"},
		"unit lost":              {drop("units"), "attempts-by-unit has 3 entries, of which 2"},
		"unit of other ID":       {put("units", unitN(1), `{"id":"A1B2C3D4E5F6"}`), "key 24DCC3000001: damaged record"},
		"summary wrong":          {put("units", unitA, `{"id":"A1B2C3D4E5F6","attempts":1}`), "is not that of its attempts"},
		"false pass":             {put("units", unitA, `{"id":"A1B2C3D4E5F6","attempts":1,"refused":1,"passed":true,"firmware":true,"lastOutcome":"fail"}`), `passed, with attempt 0 open`},
		"rework lost":            {drop("reworks"), "rework armed that is not in the record"},
		"rework unreadable":      {put("reworks", one, "1"), `bucket "reworks": key 1: damaged record`},
		"rework index lost":      {drop("reworks-by-unit"), "missing in reworks-by-unit"},
		"attempt not JSON":       {put("attempts", one, `{"id":1,"slot":}`), "attempts: key 1: damaged record"},
		"unit not JSON":          {put("units", unitA, `{"id":"A1B2C3D4E5F6",}`), "units: key A1B2C3D4E5F6: damaged record"},
		"key too short":          {put("attempts-open", "x", ""), "a key of 1 bytes, want 16"},
	} {
		t.Run(name, func(t *testing.T) {
			s, path := openStore(t)
			run(t, s, unitA, jobs.Provision, pass())
			run(t, s, unitA, jobs.AlreadyPassed, jobs.Result{Outcome: jobs.Refused})
			allow(t, s, false)
			identify(t, s, begin(t, s, "1").ID, unitB, jobs.Provision)
			if err := s.Check(); err != nil {
				t.Fatalf("before the damage: %v", err)
			}
			closeStore(t, s)
			edit(t, path, tt.change)
			s, err := jobs.Open(path)
			if err == nil {
				defer closeStore(t, s)
				err = s.Check()
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}
