package station_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hoptech.co.nz/flashd/flasher/espsim"
	"hoptech.co.nz/flashd/internal/firmware"
	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/jobs"
	"hoptech.co.nz/flashd/nvsgen"
)

// encryptedRelease is a demo release whose units get encrypted NVS.
var encryptedRelease = sync.OnceValues(func() (*firmware.Release, error) {
	dir, err := tempDir()
	if err != nil {
		return nil, err
	}
	return firmware.DemoEncrypted(dir, "encrypted", "esp32s3")
})

// secretBench is a bench for units with encrypted NVS.
type secretBench struct {
	*bench
	release *firmware.Release
	escrow  string // folder of the keys; "" if none is kept
	keys    [][]byte
}

// onSecretBench runs a test with a station for units with encrypted NVS, and
// checks after it that none of the keys it has met are anywhere but where they
// belong.
func onSecretBench(t *testing.T, withEscrow bool, test func(*secretBench)) {
	t.Helper()
	r, err := encryptedRelease()
	if err != nil {
		t.Fatal(err)
	}
	dir, state := t.TempDir(), t.TempDir()
	escrow := ""
	if withEscrow {
		escrow = filepath.Join(dir, "keys")
		if err := os.Mkdir(escrow, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s := &secretBench{release: r, escrow: escrow}
	synctest.Test(t, func(t *testing.T) {
		s.bench = newBench(t, filepath.Join(state, "jobs.db"), r, func(cfg *station.Config) { cfg.KeyEscrow = escrow })
		defer s.checkNoSecrets()
		defer s.checkNoKeys()
		func() {
			defer s.shutDown()
			test(s)
		}()
		record, err := os.ReadFile(filepath.Join(state, "jobs.db"))
		if err != nil {
			t.Fatal(err)
		}
		s.searchKeys("record", record)
	})
}

// checkNoKeys looks for keys in what people and machines get to see.
func (s *secretBench) checkNoKeys() {
	s.Helper()
	view, err := json.Marshal(s.View())
	if err != nil {
		s.Fatal(err)
	}
	s.searchKeys("log", []byte(s.log.String()))
	s.searchKeys("view", view)
}

// searchKeys looks for halves of keys in every way that Go prints them.
func (s *secretBench) searchKeys(where string, text []byte) {
	s.Helper()
	if len(s.keys) == 0 {
		s.Fatal("no keys were met: the search proves nothing")
	}
	for _, keys := range s.keys {
		for key := range slices.Chunk(keys[:64], 16) {
			for _, form := range []string{
				string(key), hex.EncodeToString(key), strings.ToUpper(hex.EncodeToString(key)),
				strings.Trim(fmt.Sprintf("%d", key), "[]"), strings.Trim(fmt.Sprintf("%#v", key), "[]byte{}"), fmt.Sprintf("% x", key),
				base64.StdEncoding.EncodeToString(key[:15]), fmt.Sprintf("%q", key),
			} {
				if bytes.Contains(text, []byte(form)) {
					s.Errorf("a key is in the %s", where)
				}
			}
		}
	}
}

// keysOf returns the keys partition of a unit, and remembers it as a secret.
func (s *secretBench) keysOf(unit *espsim.Chip) []byte {
	s.Helper()
	at := int(s.release.NVSKeys.Offset)
	raw := unit.Flash().Bytes()[at : at+nvsgen.KeysSize]
	if _, err := nvsgen.ParseKeys(raw); err != nil {
		s.Fatal(err)
	}
	s.keys = append(s.keys, raw)
	return raw
}

// encrypted checks that a unit has its credentials in an NVS partition that its
// own keys open, and returns those.
func (s *secretBench) encrypted(unit *espsim.Chip, id string) (keys []byte) {
	s.Helper()
	raw := s.keysOf(unit)
	opens, err := nvsgen.ParseKeys(raw)
	if err != nil {
		s.Fatal(err)
	}
	nvs := s.release.NVS
	image := unit.Flash().Bytes()[nvs.Offset : int(nvs.Offset)+nvs.Size]
	if bytes.Contains(image, []byte("mqtt_user")) {
		s.Error("NVS is not encrypted")
	}
	p, err := nvsgen.ParseEncrypted(image, opens)
	if err != nil {
		s.Fatal(err)
	}
	if !p.Untouched {
		s.Errorf("the firmware would have to repair it: %v", p.Problems)
	}
	s.hasCredentials(p, id)
	return raw
}

// escrowed checks that the folder holds these units' keys and nothing else.
func (s *secretBench) escrowed(want map[string][]byte) {
	s.Helper()
	entries, err := os.ReadDir(s.escrow)
	if err != nil {
		s.Fatal(err)
	}
	if len(entries) != len(want) {
		s.Errorf("%d files in the folder of keys, want %d: %v", len(entries), len(want), entries)
	}
	for id, keys := range want {
		path := filepath.Join(s.escrow, id+".bin")
		got, err := os.ReadFile(path)
		if err != nil {
			s.Error(err)
			continue
		}
		if !bytes.Equal(got, keys) {
			s.Errorf("%s.bin does not hold the keys of the unit", id)
		}
		if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
			s.Errorf("%s.bin: %v, %v", id, info.Mode(), err)
		}
	}
}

func TestEncryptedUnits(t *testing.T) {
	for _, withEscrow := range []bool{true, false} {
		t.Run(fmt.Sprintf("escrow %v", withEscrow), func(t *testing.T) {
			onSecretBench(t, withEscrow, func(s *secretBench) {
				first, second := newUnit(1), newUnit(2)
				s.insert(left, first)
				s.insert(right, second)
				a := s.result(left)
				s.expect(a, jobs.Pass, "", "")
				s.expect(s.result(right), jobs.Pass, "", "")
				keys := map[string][]byte{unitOf(1): s.encrypted(first, unitOf(1)), unitOf(2): s.encrypted(second, unitOf(2))}
				if bytes.Equal(keys[unitOf(1)], keys[unitOf(2)]) {
					t.Error("two units have the same keys")
				}
				if !a.BootChecked {
					t.Error("the unit was not seen to start")
				}
				last := a.Verified[len(a.Verified)-2:]
				if last[0].Name != "nvs_keys" || last[0].Size != nvsgen.KeysSize || last[1].Name != "nvs" {
					t.Errorf("verified last: %+v", last)
				}
				if withEscrow {
					s.escrowed(keys)
				}
			})
		})
	}
}

func TestReworkOfEncryptedUnit(t *testing.T) {
	onSecretBench(t, true, func(s *secretBench) {
		unit := newUnit(1)
		s.insert(left, unit)
		s.expect(s.result(left), jobs.Pass, "", "")
		old := s.encrypted(unit, unitOf(1))
		if err := unit.Flash().Program(0x7E0000, []byte("a customer's data")); err != nil {
			t.Fatal(err)
		}
		before := unit.Flash().Bytes()

		if _, err := s.AllowRework(s.Context(), jobs.Rework{Unit: unitOf(1), Reason: "broker moved", By: "Eve"}); err != nil {
			t.Fatal(err)
		}
		s.await(left, "work", func(v station.SlotView) bool { return v.State == station.Working })
		a := s.result(left)
		s.expect(a, jobs.Pass, "", "")

		// New keys would make a power cut lose everything that is kept.
		if !bytes.Equal(old, s.encrypted(unit, unitOf(1))) {
			t.Error("the unit has other keys")
		}
		s.escrowed(map[string][]byte{unitOf(1): old})
		if len(a.Verified) != len(s.release.Segments)+2 {
			t.Errorf("verified %+v", a.Verified)
		}
		// The credentials are derived, so that they are the same once more.
		if !bytes.Equal(before, unit.Flash().Bytes()) || a.Written != 0 {
			t.Errorf("%d bytes were written", a.Written)
		}

		if _, err := s.AllowRework(s.Context(), jobs.Rework{Unit: unitOf(1), Reason: "keys were seen", By: "Eve", Reflash: true}); err != nil {
			t.Fatal(err)
		}
		s.await(left, "work", func(v station.SlotView) bool { return v.State == station.Working })
		s.expect(s.result(left), jobs.Pass, "", "")
		fresh := s.encrypted(unit, unitOf(1))
		if bytes.Equal(old, fresh) {
			t.Error("a unit that was written whole has its old keys")
		}
		s.escrowed(map[string][]byte{unitOf(1): fresh})
	})
}

// A rework that a power cut ended is finished later, whether the unit has its
// old keys, new ones or none.
func TestReworkCutOff(t *testing.T) {
	onSecretBench(t, true, func(s *secretBench) {
		unit := newUnit(1)
		s.insert(left, unit)
		s.expect(s.result(left), jobs.Pass, "", "")
		s.encrypted(unit, unitOf(1))
		if _, err := s.AllowRework(s.Context(), jobs.Rework{Unit: unitOf(1), Reason: "broker moved", By: "Eve"}); err != nil {
			t.Fatal(err)
		}
		s.awaitPhase(left, "personalize")
		attempt := s.slot(left).Attempt
		s.remove(left)
		time.Sleep(20 * time.Second)
		a, err := s.store.Attempt(attempt)
		if err != nil {
			t.Fatal(err)
		}
		s.expect(a, jobs.Error, "personalize", "detached")
		if err := unit.Flash().Erase(int(s.release.NVSKeys.Offset), nvsgen.KeysSize); err != nil {
			t.Fatal(err)
		}
		s.insert(left, unit)
		s.expect(s.result(left), jobs.Pass, "", "")
		s.escrowed(map[string][]byte{unitOf(1): s.encrypted(unit, unitOf(1))})
	})
}

// A partition that does not take the keys fails the unit as one that does not
// take the NVS does.
func TestKeysThatAreNotTaken(t *testing.T) {
	r, err := encryptedRelease()
	if err != nil {
		t.Fatal(err)
	}
	onSecretBench(t, false, func(s *secretBench) {
		s.insert(left, newUnit(1, espsim.Fault{Kind: espsim.DeadSector, Address: r.NVSKeys.Offset}))
		s.expect(s.result(left), jobs.Fail, "verify_nvs", "blank")
		good := newUnit(2)
		s.insert(right, good)
		s.expect(s.result(right), jobs.Pass, "", "")
		s.encrypted(good, unitOf(2))
	})
}

// Keys that cannot be kept are not given out: the unit waits untouched until they
// can be.
func TestEscrowComesFirst(t *testing.T) {
	for name, spoil := range map[string]func(dir string) (mend func() error, err error){
		"opened to others": func(dir string) (func() error, error) {
			return func() error { return os.Chmod(dir, 0o700) }, os.Chmod(dir, 0o750)
		},
		"gone": func(dir string) (func() error, error) {
			return func() error { return os.Mkdir(dir, 0o700) }, os.Remove(dir)
		},
		"full": func(dir string) (func() error, error) {
			inTheWay := filepath.Join(dir, unitOf(2)+".bin")
			return func() error { return os.Remove(inTheWay) }, os.Mkdir(inTheWay, 0o700)
		},
	} {
		t.Run(name, func(t *testing.T) {
			onSecretBench(t, true, func(s *secretBench) {
				first := newUnit(1)
				s.insert(left, first)
				s.expect(s.result(left), jobs.Pass, "", "")
				s.encrypted(first, unitOf(1))
				if err := os.Remove(filepath.Join(s.escrow, unitOf(1)+".bin")); err != nil {
					t.Fatal(err)
				}
				mend, err := spoil(s.escrow)
				if err != nil {
					t.Fatal(err)
				}
				unit := newUnit(2)
				s.insert(right, unit)
				v := s.await(right, "waiting", func(v station.SlotView) bool { return v.Message != "" })
				if v.State != station.Working || v.Message != "The folder for NVS keys cannot be used." || v.Advice == "" {
					t.Errorf("shown: %+v", v)
				}
				time.Sleep(time.Hour)
				if held := s.View().Held; s.Ready() == nil || !strings.Contains(held, s.escrow) || !strings.Contains(held, "nvs.key_escrow_dir") {
					t.Errorf("ready: %v, held %q", s.Ready(), held)
				}
				flash := unit.Flash().Bytes()
				for _, p := range []firmware.Partition{s.release.NVS, *s.release.NVSKeys} {
					part := flash[p.Offset : int(p.Offset)+p.Size]
					if bytes.Count(part, []byte{0xFF}) != len(part) {
						t.Errorf("the partition %s was written", p.Label)
					}
				}
				if left, _ := filepath.Glob(filepath.Join(s.escrow, "*.new")); len(left) > 0 {
					t.Errorf("left behind: %q", left)
				}

				if err := mend(); err != nil {
					t.Fatal(err)
				}
				s.expect(s.result(right), jobs.Pass, "", "")
				s.escrowed(map[string][]byte{unitOf(2): s.encrypted(unit, unitOf(2))})
				if s.Ready() != nil || s.View().Held != "" {
					t.Errorf("ready: %v, held %q", s.Ready(), s.View().Held)
				}
			})
		})
	}
}

// A line that winds down does not wait for the folder; the unit is begun again.
func TestDrainWaitsForNoEscrow(t *testing.T) {
	onSecretBench(t, true, func(s *secretBench) {
		s.insert(left, newUnit(1))
		s.expect(s.result(left), jobs.Pass, "", "")
		s.keysOf(s.units[left])
		if err := os.Rename(s.escrow, s.escrow+".away"); err != nil {
			t.Fatal(err)
		}
		s.insert(right, newUnit(2))
		s.await(right, "waiting", func(v station.SlotView) bool { return v.Message != "" })
		s.drain()
		s.hasEnded(25 * time.Second)
		s.expect(s.result(right), jobs.Aborted, "credentials", "stopped")
	})
}

// A folder that cannot be right stops the station before any unit.
func TestEscrowFolderIsChecked(t *testing.T) {
	dir := t.TempDir()
	open, file := filepath.Join(dir, "open"), filepath.Join(dir, "file")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o710); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := encryptedRelease()
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		open:                         "chmod 700 " + open,
		filepath.Join(dir, "absent"): "install -d -m 700 " + filepath.Join(dir, "absent"),
		file:                         "not a directory",
	} {
		_, err := station.New(station.Config{Release: r, KeyEscrow: path})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", filepath.Base(path), err, want)
		}
	}
}

// A rework keeps the firmware, and that opens NVS the way it did: a release that
// does it the other way would leave a unit without any configuration.
func TestReworkKeepsTheScheme(t *testing.T) {
	encrypted, err := encryptedRelease()
	if err != nil {
		t.Fatal(err)
	}
	plain, err := release()
	if err != nil {
		t.Fatal(err)
	}
	off := *encrypted // with the same partition table
	off.NVSKeys = nil
	for _, tc := range []struct {
		name          string
		first, second *firmware.Release
		want          string
	}{
		{"encrypted, then plain", encrypted, &off, "NVS is encrypted, and release encrypted does not encrypt it"},
		{"plain, then encrypted", &off, encrypted, "NVS is plain, and release encrypted encrypts it"},
		{"plain without a place for keys, then encrypted", plain, encrypted, `has no "nvs_keys" of 0x1000 bytes at 0x7ef000`},
	} {
		for _, archived := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, archived %t", tc.name, archived), func(t *testing.T) {
				store, flash := filepath.Join(t.TempDir(), "jobs.db"), espsim.NewFlash(8<<20)
				unit := func() *espsim.Chip {
					return espsim.New(espsim.Config{
						Model: espsim.ESP32S3, MAC: macOf(1), Flash: flash,
						Wiring: espsim.USBSerialJTAG, Timing: espsim.Realistic(espsim.USBSerialJTAG),
					})
				}
				synctest.Test(t, func(t *testing.T) {
					b := newBench(t, store, tc.first, nil)
					defer b.shutDown()
					b.insert(left, unit())
					b.expect(b.result(left), jobs.Pass, "", "")
				})
				phase, want := "attach", tc.want
				if archived {
					archiveAll(t, store)
					if tc.first != plain { // whose partition table already tells
						phase, want = "read_nvs", "the record no longer tells whether it is encrypted"
					}
				}
				before := flash.Bytes()
				synctest.Test(t, func(t *testing.T) {
					b := newBench(t, store, tc.second, nil)
					defer b.shutDown()
					if _, err := b.AllowRework(b.Context(), jobs.Rework{Unit: unitOf(1), Reason: "broker moved", By: "Eve"}); err != nil {
						t.Fatal(err)
					}
					b.insert(left, unit())
					a := b.result(left)
					b.expect(a, jobs.Error, phase, "other_layout")
					if !strings.Contains(a.Failure.Text, want) {
						t.Errorf("the operator is told %q", a.Failure.Text)
					}
				})
				if !bytes.Equal(before, flash.Bytes()) {
					t.Error("the flash was touched")
				}
			})
		}
	}
}

// archiveAll takes all attempts out of a record.
func archiveAll(t *testing.T, path string) {
	t.Helper()
	s, err := jobs.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if done, err := s.Archive(t.Context(), filepath.Dir(path), time.Now()); err != nil || len(done) == 0 {
		t.Fatal(done, err)
	}
}

// Keys that a unit has left from an earlier life do not count.
func TestReworkWithKeysOfAnEarlierLife(t *testing.T) {
	encrypted, err := encryptedRelease()
	if err != nil {
		t.Fatal(err)
	}
	plain := *encrypted
	plain.NVSKeys = nil
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, filepath.Join(dir, "jobs.db"), &plain, func(cfg *station.Config) { cfg.BootCheck.Enabled = false })
		defer b.shutDown()
		unit := newUnit(1)
		if err := unit.Flash().Program(int(encrypted.NVSKeys.Offset), nvsgen.NewKeys().Marshal()); err != nil {
			t.Fatal(err)
		}
		b.insert(left, unit)
		b.expect(b.result(left), jobs.Pass, "", "")
		if _, err := b.AllowRework(b.Context(), jobs.Rework{Unit: unitOf(1), Reason: "broker moved", By: "Eve"}); err != nil {
			t.Fatal(err)
		}
		b.await(left, "work", func(v station.SlotView) bool { return v.State == station.Working })
		b.expect(b.result(left), jobs.Pass, "", "")
	})
}
