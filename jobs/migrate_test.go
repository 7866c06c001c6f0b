package jobs_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"hoptech.co.nz/flashd/jobs"
)

// firstSchema writes a store as the first flashd did, byte for byte: this code
// does not change with the package. Attempt 1 of unit A failed, 2 passed, 3 was
// refused, 4 is of no unit, and 5 is open on unit B. A rework of unit A is armed.
func firstSchema(t testing.TB, path string) {
	t.Helper()
	number := func(n uint64) string { return string(binary.BigEndian.AppendUint64(nil, n)) }
	start := func(id uint64) string {
		return number(uint64(time.Date(2026, 3, 2, 8, int(id), 0, 0, time.UTC).UnixNano())) + number(id)
	}
	const phases = `"phases":[{"name":"connect","start":"2026-03-02T08:01:00.5Z","seconds":1.25},{"name":"write","start":"2026-03-02T08:01:02Z","seconds":7}]`
	const common = `"slot":"%s","path":"1-1.1","unit":"A1B2C3D4E5F6","chip":"esp32s3","release":"r1","releaseDigest":"00ff","tool":"flashd 0.1","start":"2026-03-02T08:0%d:00Z"`
	const rework = `{"id":1,"unit":"A1B2C3D4E5F6","reason":"broker moved","by":"Ann","reflash":false,"allowed":"2026-03-02T09:00:00Z"}`
	attempts := map[uint64]string{
		1: `{"id":1,` + fmt.Sprintf(common, "1", 1) + `,"end":"2026-03-02T08:01:20Z","outcome":"fail","verdict":"provision",` + phases +
			`,"failure":{"phase":"write","kind":"timeout","blame":"unit","text":"No answer.","hint":"Reseat it."}}`,
		2: `{"id":2,` + fmt.Sprintf(common, "2", 2) + `,"end":"2026-03-02T08:02:20Z","outcome":"pass","verdict":"provision",` + phases +
			`,"verified":[{"name":"app","offset":65536,"size":1048576},{"name":"nvs","offset":36864,"size":24576}],"written":900000,"bootChecked":true,"credential":"server"}`,
		3: `{"id":3,` + fmt.Sprintf(common, "1", 3) + `,"end":"2026-03-02T08:03:01Z","outcome":"refused","verdict":"already_passed"}`,
		4: `{"id":4,"slot":"2","release":"r1","start":"2026-03-02T08:04:00Z","end":"2026-03-02T08:04:09Z","outcome":"error",` +
			`"failure":{"phase":"connect","kind":"no_sync","blame":"rig","text":"No answer from the chip."}}`,
		5: `{"id":5,"slot":"1","unit":"24DCC3000001","chip":"esp32s3","release":"r2","start":"2026-03-02T08:05:00Z","verdict":"provision","current":"write"}`,
	}
	units := map[string]string{
		unitA: `{"id":"A1B2C3D4E5F6","chip":"esp32s3","first":"2026-03-02T08:01:00Z","last":"2026-03-02T08:03:00Z","attempts":2,"refused":1,"fails":1,` +
			`"passed":true,"passedAt":"2026-03-02T08:02:20Z","passedRelease":"r1","firstPass":false,"firmware":true,"lastOutcome":"pass","rework":` + rework + `}`,
		unitB: `{"id":"24DCC3000001","chip":"esp32s3","first":"2026-03-02T08:05:00Z","last":"2026-03-02T08:05:00Z","attempts":1,"passed":false,"firstPass":false,"firmware":false,"open":5}`,
	}
	unitOf := map[uint64]string{1: unitA, 2: unitA, 3: unitA, 5: unitB}

	db := must(bbolt.Open(path, 0o600, nil))(t)
	err := db.Update(func(tx *bbolt.Tx) (err error) {
		put := func(bucket, key, value string) {
			b, errB := tx.CreateBucketIfNotExists([]byte(bucket))
			err = errors.Join(err, errB, b.Put([]byte(key), []byte(value)))
		}
		put("meta", "schema", "1")
		for id, record := range attempts {
			put("attempts", number(id), record)
			put("attempts-by-start", start(id), "")
			if unitOf[id] != "" {
				put("attempts-by-unit", unitOf[id]+start(id), "")
			}
		}
		put("attempts-open", start(5), "")
		for id, record := range units {
			put("units", id, record)
		}
		put("reworks", number(1), rework)
		put("reworks-by-unit", unitA+number(1), "")
		return errors.Join(err, tx.Bucket([]byte("attempts")).SetSequence(5), tx.Bucket([]byte("reworks")).SetSequence(1))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jobs.db")
	firstSchema(t, path)
	before := must(os.ReadFile(path))(t)
	if _, err := jobs.OpenReadOnly(path); !errors.Is(err, jobs.ErrOlder) {
		t.Errorf("opened for reading: %v, want ErrOlder", err)
	}
	if diff := cmp.Diff(before, must(os.ReadFile(path))(t)); diff != "" {
		t.Error("reading has changed the store")
	}

	s := reopen(t, path)
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	wantIDs(t, "all", list(t, s, jobs.Filter{}), 5, 4, 3, 2, 1)
	wantIDs(t, "slot", list(t, s, jobs.Filter{Slot: "1"}), 5, 3, 1)
	wantIDs(t, "release", list(t, s, jobs.Filter{Release: "r1"}), 4, 3, 2, 1)
	wantIDs(t, "outcome", list(t, s, jobs.Filter{Outcome: jobs.Pass}), 2)
	wantIDs(t, "kind", list(t, s, jobs.Filter{Kind: "no_sync"}), 4)
	wantIDs(t, "blame and phase", list(t, s, jobs.Filter{Blame: jobs.BlameUnit, Phase: "write"}), 1)
	at := func(minute, second, nanosecond int) time.Time {
		return time.Date(2026, 3, 2, 8, minute, second, nanosecond, time.UTC)
	}
	want := jobs.Attempt{
		ID: 2, Slot: "2", Path: "1-1.1", Unit: unitA, Chip: "esp32s3", Release: "r1", ReleaseDigest: "00ff", Tool: "flashd 0.1",
		Start: at(2, 0, 0), End: at(2, 20, 0), Outcome: jobs.Pass, Verdict: jobs.Provision,
		Phases:   []jobs.Phase{{Name: "connect", Start: at(1, 0, 5e8), Seconds: 1.25}, {Name: "write", Start: at(1, 2, 0), Seconds: 7}},
		Verified: []jobs.Region{{Name: "app", Offset: 65536, Size: 1048576}, {Name: "nvs", Offset: 36864, Size: 24576}},
		Written:  900000, BootChecked: true, Credential: "server",
	}
	if diff := cmp.Diff(want, must(s.Attempt(2))(t)); diff != "" {
		t.Errorf("attempt 2 (-want +got):\n%s", diff)
	}

	// It works on: what was open is closed, a unit that passed is known, the rework is armed.
	if closed := must(s.Recover(time.Now()))(t); len(closed) != 1 || closed[0].ID != 5 {
		t.Errorf("recovered %v, want attempt 5", ids(closed))
	}
	a := run(t, s, unitA, jobs.ReworkNVS, pass())
	if a.ID != 6 || a.Rework == nil || a.Rework.Reason != "broker moved" {
		t.Errorf("attempt %+v, want attempt 6 with the rework", a)
	}
	if n := len(archive(t, s, t.TempDir(), time.Now())); n != 1 {
		t.Errorf("%d archives, want 1", n)
	}
}

// The copy is the store as it was, and migrates as well.
func TestMigrateKeepsACopy(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jobs.db")
	firstSchema(t, path)
	copied := path + ".schema1.bak"
	if err := os.WriteFile(copied, []byte("half a copy, of a try that was killed"), 0o600); err != nil {
		t.Fatal(err)
	}
	closeStore(t, must(jobs.Open(path))(t))
	if mode := must(os.Stat(copied))(t).Mode(); mode != 0o600 {
		t.Errorf("mode %v, want 600", mode)
	}
	if _, err := jobs.OpenReadOnly(copied); !errors.Is(err, jobs.ErrOlder) {
		t.Errorf("the copy: %v, want ErrOlder", err)
	}
	s := reopen(t, copied)
	wantIDs(t, "attempts of the copy", list(t, s, jobs.Filter{}), 5, 4, 3, 2, 1)
}

// What cannot be migrated stays as it is.
func TestMigrateDamaged(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jobs.db")
	firstSchema(t, path)
	edit(t, path, func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("attempts")).Put([]byte("\x00\x00\x00\x00\x00\x00\x00\x03"), []byte(`{"id":3,}`))
	})
	for range 2 {
		if _, err := jobs.Open(path); !errors.Is(err, jobs.ErrDamaged) {
			t.Errorf("%v, want ErrDamaged", err)
		}
	}
	if _, err := jobs.OpenReadOnly(path); !errors.Is(err, jobs.ErrOlder) {
		t.Errorf("for reading: %v, want ErrOlder: it is half migrated", err)
	}
}
