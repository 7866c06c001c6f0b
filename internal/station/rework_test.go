package station_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/flasher/espsim"
	"hoptech.co.nz/flashd/internal/credentials"
	"hoptech.co.nz/flashd/internal/firmware"
	"hoptech.co.nz/flashd/internal/hotplug"
	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/jobs"
	"hoptech.co.nz/flashd/nvsgen"
)

// issuer gives out other passwords each time, and counts.
type issuer struct {
	mu    sync.Mutex
	asked int
}

func (*issuer) Name() string { return "server" }

func (s *issuer) Fetch(_ context.Context, id string) (credentials.Credentials, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	return credentials.Credentials{DeviceID: id, MQTTUser: id, MQTTPassword: credentials.Secret(issued(s.asked)), MQTTHost: "mqtt.example", MQTTPort: 8883}, nil
}

func (s *issuer) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// issued is the password that was given out as number n.
func issued(n int) string { return fmt.Sprintf("%064d", n) }

// customers are what a gateway has in NVS when it comes back from a customer.
func customers() []nvsgen.Entry {
	return []nvsgen.Entry{
		nvsgen.String("gateway", "region", "nz"),
		nvsgen.U32("gateway", "boots", 4711),
		nvsgen.String("wifi", "ssid", "a customer's network"),
		nvsgen.String("wifi", "pswd", "a customer's password"),
		nvsgen.Blob("phy", "cal_data", bytes.Repeat([]byte{0xA5, 3}, 950)),
		nvsgen.Blob("log", "last", bytes.Repeat([]byte("crash "), 900)), // over two pages
		nvsgen.I64("stats", "since", -1),
	}
}

// returned is a unit that has passed and was at a customer's.
type returned struct {
	*bench
	source  *issuer
	release *firmware.Release
	unit    *espsim.Chip
	keys    *nvsgen.Keys // of its NVS; nil: plain
}

// onReturn runs a test with a unit that has passed in the left slot, and then got
// what is in customers into its NVS.
func onReturn(t *testing.T, r *firmware.Release, change func(*station.Config), test func(*returned)) {
	t.Helper()
	path, source := filepath.Join(t.TempDir(), "jobs.db"), &issuer{}
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, path, r, func(cfg *station.Config) {
			cfg.Source = source
			if change != nil {
				change(cfg)
			}
		})
		u := &returned{bench: b, source: source, release: r, unit: newUnit(1)}
		defer u.checkNothingLeaks()
		defer b.shutDown()
		b.insert(left, u.unit)
		b.expect(b.result(left), jobs.Pass, "", "")
		if r.NVSKeys != nil {
			u.keys = must(nvsgen.ParseKeys(u.unit.Flash().Bytes()[r.NVSKeys.Offset:]))
		}
		u.use(customers()...)
		test(u)
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// checkNothingLeaks looks for what is secret in the log and the record.
func (u *returned) checkNothingLeaks() {
	u.Helper()
	for _, secret := range []string{"a customer's password", issued(1), issued(2), issued(3)} {
		if strings.Contains(u.log.String(), secret) {
			u.Errorf("%q is in the log", secret)
		}
	}
}

// nvs reads the unit's NVS.
func (u *returned) nvs() *nvsgen.Partition {
	u.Helper()
	at := int(u.release.NVS.Offset)
	p, err := nvsgen.Reopen(u.unit.Flash().Bytes()[at:at+u.release.NVS.Size], u.keys)
	if err != nil {
		u.Fatal(err)
	}
	return p
}

// use has the firmware of the unit set keys.
func (u *returned) use(entries ...nvsgen.Entry) {
	u.Helper()
	p := u.nvs()
	for _, e := range entries {
		if err := p.Set(e); err != nil {
			u.Fatal(err)
		}
	}
	writes, _, err := p.Writes()
	if err != nil {
		u.Fatal(err)
	}
	for _, w := range writes {
		u.program(int(u.release.NVS.Offset)+w.Page*nvsgen.PageSize, w.Data)
	}
}

// program writes whole sectors of the unit's flash.
func (u *returned) program(at int, data []byte) {
	u.Helper()
	if err := errors.Join(u.unit.Flash().Erase(at, (len(data)+4095)&^4095), u.unit.Flash().Program(at, data)); err != nil {
		u.Fatal(err)
	}
}

// rework allows one and waits for its end.
func (u *returned) rework(r jobs.Rework) jobs.Attempt {
	u.Helper()
	before := u.slot(left).Attempt
	r.Unit, r.Reason, r.By = unitOf(1), "customer return", "Eve"
	if _, err := u.AllowRework(u.Context(), r); err != nil {
		u.Fatal(err)
	}
	u.await(left, "a rework", func(s station.SlotView) bool { return s.Attempt != before })
	return u.result(left)
}

// wants compares what is in NVS with the entries given and the customer's, which
// are overridden by those.
func (u *returned) wants(entries ...nvsgen.Entry) {
	u.Helper()
	want, got := map[string]nvsgen.Value{}, map[string]nvsgen.Value{}
	for _, e := range append(customers(), entries...) {
		want[e.Namespace+"/"+e.Key] = e.Value
	}
	p := u.nvs()
	for _, e := range p.Entries {
		got[e.Namespace+"/"+e.Key] = e.Value
	}
	if diff := cmp.Diff(want, got); diff != "" {
		u.Errorf("NVS (-want +got):\n%s", diff)
	}
	if !p.Untouched || len(p.Problems) > 0 {
		u.Errorf("the firmware would have to mend its NVS: %v", p.Problems)
	}
}

// credentialsNumber are what the template sets, with the password given out as
// number n.
func credentialsNumber(n int) []nvsgen.Entry {
	return []nvsgen.Entry{
		nvsgen.String("gateway", "mqtt_user", unitOf(1)),
		nvsgen.String("gateway", "mqtt_pass", issued(n)),
		nvsgen.U8("gateway", "provisioned", 1),
	}
}

// outsideNVS is the flash without the NVS partition.
func (u *returned) outsideNVS() []byte {
	flash := u.unit.Flash().Bytes()
	clear(flash[u.release.NVS.Offset:][:u.release.NVS.Size])
	return flash
}

// proves checks that an attempt says that it left everything else alone.
func (u *returned) proves(a jobs.Attempt) {
	u.Helper()
	var want, got []string
	for _, s := range u.release.Segments {
		want = append(want, s.Name)
	}
	if u.release.NVSKeys != nil {
		want = append(want, u.release.NVSKeys.Label)
	}
	want = append(want, u.release.NVS.Label)
	for _, r := range a.Verified {
		got = append(got, r.Name)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		u.Errorf("verified on the chip (-want +recorded):\n%s", diff)
	}
	if diff := cmp.Diff(&jobs.Firmware{Release: u.release.Name, Digest: u.release.Digest, Proved: true}, a.LeftBehind()); diff != "" {
		u.Errorf("firmware of the unit (-want +recorded):\n%s", diff)
	}
}

func (u *returned) notes(a jobs.Attempt, want string) {
	u.Helper()
	if !strings.Contains(strings.Join(a.Notes, "\n"), want) {
		u.Errorf("the record notes %q, want %q", a.Notes, want)
	}
}

func bothReleases(t *testing.T) map[string]*firmware.Release {
	t.Helper()
	plain, err := release()
	if err != nil {
		t.Fatal(err)
	}
	encrypted, err := encryptedRelease()
	if err != nil {
		t.Fatal(err)
	}
	return map[string]*firmware.Release{"plain": plain, "encrypted": encrypted}
}

func TestReworkKeepsOtherKeys(t *testing.T) {
	for name, r := range bothReleases(t) {
		t.Run(name, func(t *testing.T) {
			onReturn(t, r, nil, func(u *returned) {
				before := u.outsideNVS()
				a := u.rework(jobs.Rework{})
				u.expect(a, jobs.Pass, "", "")
				u.wants(credentialsNumber(2)...)
				if !bytes.Equal(before, u.outsideNVS()) {
					t.Error("the flash outside of the NVS partition was touched")
				}
				u.proves(a)
				u.notes(a, "In NVS gateway/mqtt_pass, gateway/mqtt_user, gateway/provisioned were set and 7 other keys were kept.")
				if a.Written > 4*nvsgen.PageSize {
					t.Errorf("%d bytes were written for some credentials", a.Written)
				}
				if v := u.slot(left); v.Rework != station.ReworkNVS || !strings.Contains(v.Message, "reworked") {
					t.Errorf("the tile shows %+v", v)
				}
			})
		})
	}
}

func TestReworkKeepAll(t *testing.T) {
	plain := bothReleases(t)["plain"]
	for name, tc := range map[string]struct {
		rework jobs.Rework
		use    []nvsgen.Entry // by the firmware, before
		want   []nvsgen.Entry
		asked  int // how often for credentials, with the first time
	}{
		"nothing is missing": {jobs.Rework{KeepAll: true}, nil, credentialsNumber(1), 1},
		"but the flag": {
			jobs.Rework{KeepAll: true}, []nvsgen.Entry{nvsgen.U8("gateway", "provisioned", 0)}, credentialsNumber(1), 1,
		},
		"with new credentials": {jobs.Rework{KeepAll: true, NewCredentials: true}, nil, credentialsNumber(2), 2},
		"credentials of another unit": {
			jobs.Rework{KeepAll: true}, []nvsgen.Entry{nvsgen.String("gateway", "mqtt_user", unitOf(2))}, credentialsNumber(2), 2,
		},
		"and settings": {
			jobs.Rework{KeepAll: true, Set: map[string]string{"region": "eu", "gateway:boots": "0", "wifi:channel:u8": "11", "phy:cal_data:hex2bin": "00ff"}},
			nil,
			append(credentialsNumber(1), nvsgen.String("gateway", "region", "eu"), nvsgen.U32("gateway", "boots", 0),
				nvsgen.U8("wifi", "channel", 11), nvsgen.Blob("phy", "cal_data", []byte{0, 0xFF})),
			1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			onReturn(t, plain, nil, func(u *returned) {
				u.use(tc.use...)
				a := u.rework(tc.rework)
				u.expect(a, jobs.Pass, "", "")
				u.wants(tc.want...)
				u.proves(a)
				if got := u.source.count(); got != tc.asked {
					t.Errorf("credentials were asked for %d times, want %d", got, tc.asked)
				}
				if source := a.Credential; (source != "") != (tc.asked > 1) {
					t.Errorf("the record says that credentials came from %q", source)
				}
			})
		})
	}
}

// A unit that has lost its credentials gets new ones, keep-all or not.
func TestReworkKeepAllAddsWhatIsMissing(t *testing.T) {
	onReturn(t, bothReleases(t)["plain"], nil, func(u *returned) {
		p := u.nvs()
		p.Remove("gateway", "mqtt_pass")
		image := must(p.Image())
		u.program(int(u.release.NVS.Offset), image)
		u.expect(u.rework(jobs.Rework{KeepAll: true}), jobs.Pass, "", "")
		u.wants(credentialsNumber(2)...)
	})
}

// What cannot be is refused when it is asked for, or before anything is written.
func TestReworkThatDoesNotFit(t *testing.T) {
	plain := bothReleases(t)["plain"]
	big := nvsgen.Blob("log", "big", bytes.Repeat([]byte{1}, 6000))
	for name, tc := range map[string]struct {
		use  []nvsgen.Entry
		set  map[string]string
		want string
	}{
		"text for a number": {nil, map[string]string{"boots": "many"}, "gateway/boots"},
		"another type":      {nil, map[string]string{"gateway:boots:u8": "1"}, "of type u32"},
		"text for a blob":   {nil, map[string]string{"phy:cal_data": "x"}, "hex2bin"},
		"too much": {
			[]nvsgen.Entry{big},
			map[string]string{"a": strings.Repeat("a ", 500), "b": strings.Repeat("b ", 500), "c": strings.Repeat("c ", 500), "d": strings.Repeat("d ", 500)},
			"store less",
		},
	} {
		t.Run(name, func(t *testing.T) {
			onReturn(t, plain, nil, func(u *returned) {
				u.use(tc.use...)
				before := u.unit.Flash().Bytes()
				a := u.rework(jobs.Rework{Set: tc.set})
				u.expect(a, jobs.Error, "credentials", "unfit")
				if !strings.Contains(a.Failure.Text, tc.want) || !strings.Contains(a.Failure.Hint, "--reflash") {
					t.Errorf("the operator is told %+v", a.Failure)
				}
				if !bytes.Equal(before, u.unit.Flash().Bytes()) || a.Written != 0 {
					t.Error("the unit is not as it was")
				}
				u.expect(u.rework(jobs.Rework{}), jobs.Pass, "", "")
				u.wants(append(tc.use, credentialsNumber(3)...)...)
			})
		})
	}
	onReturn(t, plain, nil, func(u *returned) {
		for set, want := range map[string]string{"mqtt_user": "come from their source", "provisioned": "always set", "mqtt_pass": "come from their source"} {
			_, err := u.AllowRework(t.Context(), jobs.Rework{Unit: unitOf(1), Reason: "r", By: "b", Set: map[string]string{set: "1"}})
			if !errors.Is(err, jobs.ErrBadRework) || !strings.Contains(err.Error(), want) {
				t.Errorf("set %s: %v, want %q", set, err, want)
			}
		}
	})
}

func TestReworkOfDamagedNVS(t *testing.T) {
	for name, r := range bothReleases(t) {
		for damage, tc := range map[string]struct {
			spoil func(*returned)
			note  string
			keeps bool
		}{
			"blank":   {func(u *returned) { u.program(int(r.NVS.Offset), bytes.Repeat([]byte{0xFF}, r.NVS.Size)) }, "it is blank", false},
			"garbage": {func(u *returned) { u.program(int(r.NVS.Offset), bytes.Repeat([]byte{0x5A}, r.NVS.Size)) }, "no key in it can be read", false},
			"one bit": {func(u *returned) {
				nvs := u.unit.Flash().Bytes()[r.NVS.Offset:][:r.NVS.Size]
				page := slices.IndexFunc(slices.Collect(slices.Chunk(nvs, nvsgen.PageSize)), func(page []byte) bool { return page[0] == 0xFC }) // a full one
				nvs[page*nvsgen.PageSize+64+4*nvsgen.EntrySize] ^= 1
				u.program(int(r.NVS.Offset), nvs)
			}, "Some of the unit's NVS partition could not be read", true},
		} {
			t.Run(name+", "+damage, func(t *testing.T) {
				onReturn(t, r, nil, func(u *returned) {
					tc.spoil(u)
					a := u.rework(jobs.Rework{KeepAll: true})
					u.expect(a, jobs.Pass, "", "")
					u.notes(a, tc.note)
					if r.NVSKeys != nil {
						u.keys = must(nvsgen.ParseKeys(u.unit.Flash().Bytes()[r.NVSKeys.Offset:]))
					}
					p := u.nvs()
					if _, ok := p.Lookup("gateway", "mqtt_pass"); !ok || !p.Untouched {
						t.Errorf("the unit has no password, or NVS that is not whole: %v", p.Problems)
					}
					if kept := len(p.Entries) > 3; kept != tc.keeps {
						t.Errorf("%d keys in NVS", len(p.Entries))
					}
				})
			})
		}
	}
}

// The keys partition is lost, and with it everything that it opened.
func TestReworkWithoutItsKeys(t *testing.T) {
	r := bothReleases(t)["encrypted"]
	onReturn(t, r, nil, func(u *returned) {
		u.program(int(r.NVSKeys.Offset), bytes.Repeat([]byte{0xFF}, nvsgen.KeysSize))
		a := u.rework(jobs.Rework{})
		u.expect(a, jobs.Pass, "", "")
		u.notes(a, "the keys partition is blank")
		u.keys = must(nvsgen.ParseKeys(u.unit.Flash().Bytes()[r.NVSKeys.Offset:]))
		if p := u.nvs(); len(p.Entries) != 3 {
			t.Errorf("%d keys in NVS, want those of the template", len(p.Entries))
		}
	})
}

// Firmware that is not what the record says is not passed as untouched.
func TestReworkOfOtherFirmware(t *testing.T) {
	r := bothReleases(t)["plain"]
	app := r.Segments[slices.IndexFunc(r.Segments, func(s firmware.Segment) bool { return s.Name == "app0" })]
	onReturn(t, r, nil, func(u *returned) {
		other := bytes.Clone(app.Data)
		copy(other[len(other)/2:], "patched by somebody")
		u.program(int(app.Offset), other)
		a := u.rework(jobs.Rework{})
		u.expect(a, jobs.Error, "verify_firmware", "other_firmware")
		if !strings.Contains(a.Failure.Text, "app0 is not that of release "+r.Name) || !strings.Contains(a.Failure.Hint, "--reflash") {
			t.Errorf("the operator is told %+v", a.Failure)
		}
		u.expect(u.rework(jobs.Rework{Reflash: true}), jobs.Pass, "", "")
		u.provisionedBy(3)
	})
}

// A rework that wrote half of the firmware leaves a unit whose firmware has to be
// written by the next one, too. What is in its NVS stays all the same.
func TestReworkAfterBrokenReflash(t *testing.T) {
	for name, r := range bothReleases(t) {
		t.Run(name, func(t *testing.T) {
			onReturn(t, r, nil, func(u *returned) {
				if _, err := u.AllowRework(t.Context(), jobs.Rework{Unit: unitOf(1), Reason: "r", By: "b", Reflash: true}); err != nil {
					t.Fatal(err)
				}
				u.awaitPhase(left, "write")
				u.remove(left)
				time.Sleep(20 * time.Second)
				if _, err := u.AllowRework(t.Context(), jobs.Rework{Unit: unitOf(1), Reason: "r", By: "b", KeepAll: true}); err != nil {
					t.Fatal(err)
				}
				u.insert(left, u.unit)
				a := u.result(left)
				u.expect(a, jobs.Pass, "", "")
				if a.Verdict != jobs.ReworkAll {
					t.Errorf("the verdict was %s", a.Verdict)
				}
				u.wants(credentialsNumber(1)...)
				u.proves(a)
			})
		})
	}
}

// What is set is set in new NVS, too.
func TestReflashWithSettings(t *testing.T) {
	for name, r := range bothReleases(t) {
		for _, reflash := range []bool{true, false} { // or because nothing in NVS can be read
			t.Run(fmt.Sprintf("%s, reflash %t", name, reflash), func(t *testing.T) {
				onReturn(t, r, nil, func(u *returned) {
					u.program(int(r.NVS.Offset), bytes.Repeat([]byte{0x5A}, r.NVS.Size))
					a := u.rework(jobs.Rework{Reflash: reflash, Set: map[string]string{"region": "eu", "wifi:channel:u8": "11"}})
					u.expect(a, jobs.Pass, "", "")
					u.proves(a)
					if r.NVSKeys != nil {
						u.keys = must(nvsgen.ParseKeys(u.unit.Flash().Bytes()[r.NVSKeys.Offset:]))
					}
					want := append(credentialsNumber(2), nvsgen.String("gateway", "region", "eu"), nvsgen.U8("wifi", "channel", 11))
					if diff := cmp.Diff(want, u.nvs().Entries); diff != "" {
						t.Errorf("NVS (-want +got):\n%s", diff)
					}
				})
			})
		}
	}
}

// provisionedBy checks that a unit was written whole.
func (u *returned) provisionedBy(number int) {
	u.Helper()
	flash := u.unit.Flash().Bytes()
	for _, s := range u.release.Segments {
		if !bytes.Equal(flash[s.Offset:][:len(s.Data)], s.Data) {
			u.Errorf("segment %s is not in the flash", s.Name)
		}
	}
	if got, _ := u.nvs().Lookup("gateway", "mqtt_pass"); got != nvsgen.Text(issued(number)) {
		u.Error("the unit has another password")
	}
	if v := u.slot(left); v.Rework != station.ReworkAll {
		u.Errorf("the tile shows %+v", v)
	}
}

// A unit that updates itself has other firmware than it left the line with. It is
// left alone, and what it has now is what is proved.
func TestReworkOfUpdatedUnit(t *testing.T) {
	r := bothReleases(t)["plain"]
	table := must(flasher.ParsePartitionTable(r.Segments[slices.IndexFunc(r.Segments, func(s firmware.Segment) bool { return s.Name == "partition-table" })].Data))
	app1, _ := table.Find("app1")
	otadata, _ := table.Find("otadata")
	app := r.Segments[slices.IndexFunc(r.Segments, func(s firmware.Segment) bool { return s.Name == "app0" })]
	onReturn(t, r, func(cfg *station.Config) { cfg.BootCheck.Enabled = false }, func(u *returned) {
		u.program(int(app1.Offset), app.Data)
		u.program(int(otadata.Offset), bytes.Repeat([]byte{0xFF}, int(otadata.Size)))
		older := bytes.Clone(app.Data)
		copy(older[len(older)/2:], "an even newer release")
		u.program(int(app.Offset), older)
		before := u.outsideNVS()
		a := u.rework(jobs.Rework{})
		u.expect(a, jobs.Pass, "", "")
		u.wants(credentialsNumber(2)...)
		u.notes(a, "updated its firmware by itself")
		if f := a.LeftBehind(); f != nil {
			t.Errorf("the record says that its firmware is %+v", f)
		}
		if !bytes.Equal(before, u.outsideNVS()) {
			t.Error("the flash outside of the NVS partition was touched")
		}
		for _, want := range []string{"bootloader", "partition-table", "otadata", "app0", "app1", "nvs"} {
			if !slices.ContainsFunc(a.Verified, func(r jobs.Region) bool { return r.Name == want }) {
				t.Errorf("%s is not proved: %+v", want, a.Verified)
			}
		}
	})
}

// A station that has gone on to another release reworks units of the one before:
// against its digests while it is at hand, else against what the unit had.
func TestReworkOfOlderRelease(t *testing.T) {
	older := bothReleases(t)["plain"]
	dir, err := tempDir()
	if err != nil {
		t.Fatal(err)
	}
	newer, err := firmware.Demo(dir, "newer", "esp32s3")
	if err != nil {
		t.Fatal(err)
	}
	newer.Segments = slices.Clone(newer.Segments)
	last := &newer.Segments[len(newer.Segments)-1]
	last.Data = bytes.Clone(last.Data)
	copy(last.Data[len(last.Data)/2:], "other code")
	for name, tc := range map[string]struct {
		releases func(string) (*firmware.Release, error)
		patched  bool // the unit's firmware is not that of the release
		outcome  jobs.Outcome
		proved   bool // its release, on the chip
	}{
		"at hand":                {func(string) (*firmware.Release, error) { return older, nil }, false, jobs.Pass, true},
		"at hand, and patched":   {func(string) (*firmware.Release, error) { return older, nil }, true, jobs.Error, false},
		"gone":                   {func(string) (*firmware.Release, error) { return nil, firmware.ErrNotFound }, false, jobs.Pass, false},
		"another of the name":    {func(string) (*firmware.Release, error) { return newer, nil }, false, jobs.Pass, false},
		"nobody knows of others": {nil, true, jobs.Pass, false},
	} {
		t.Run(name, func(t *testing.T) {
			store, flash := filepath.Join(t.TempDir(), "jobs.db"), espsim.NewFlash(8<<20)
			unit := func() *espsim.Chip {
				return espsim.New(espsim.Config{
					Model: espsim.ESP32S3, MAC: macOf(1), Flash: flash,
					Wiring: espsim.USBSerialJTAG, Timing: espsim.Realistic(espsim.USBSerialJTAG),
				})
			}
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, store, older, nil)
				defer b.shutDown()
				b.insert(left, unit())
				b.expect(b.result(left), jobs.Pass, "", "")
			})
			if tc.patched {
				if err := flash.Program(int(last.Offset)+1<<20, make([]byte, 64)); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, store, newer, func(cfg *station.Config) { cfg.Releases, cfg.BootCheck.Enabled = tc.releases, false })
				defer b.shutDown()
				if _, err := b.AllowRework(b.Context(), jobs.Rework{Unit: unitOf(1), Reason: "r", By: "b"}); err != nil {
					t.Fatal(err)
				}
				b.insert(left, unit())
				a := b.result(left)
				if a.Outcome != tc.outcome {
					t.Errorf("it ended with %s, want %s: %+v\n%s", a.Outcome, tc.outcome, a.Failure, b.log)
				}
				if a.Outcome == jobs.Pass && len(a.Verified) != len(older.Segments)+1 {
					t.Errorf("verified: %+v", a.Verified)
				}
				if want := (jobs.Firmware{Release: older.Name, Digest: older.Digest, Proved: tc.proved}); a.Outcome == jobs.Pass && (a.Firmware == nil || *a.Firmware != want) {
					t.Errorf("the record says that its firmware is %+v, want %+v", a.Firmware, want)
				}
				u, err := b.store.Unit(unitOf(1))
				if err != nil || u.PassedRelease != older.Name {
					t.Errorf("the record says that the unit has release %s (%v)", u.PassedRelease, err)
				}
			})
		})
	}
}

// The power goes at any moment of a rework: whatever is kept is there, and the unit
// is finished when it is put in again.
func TestReworkSurvivesPowerCuts(t *testing.T) {
	for name, r := range bothReleases(t) {
		for _, phase := range []string{"attach", "read_nvs", "personalize", "verify_nvs", "verify_firmware", "reboot"} {
			for _, after := range []time.Duration{0, 20 * time.Millisecond, 55 * time.Millisecond, 90 * time.Millisecond, 130 * time.Millisecond} {
				if after > 0 && phase != "personalize" {
					continue
				}
				t.Run(fmt.Sprintf("%s, %v after %s", name, after, phase), func(t *testing.T) {
					onReturn(t, r, nil, func(u *returned) {
						_, err := u.AllowRework(t.Context(), jobs.Rework{Unit: unitOf(1), Reason: "r", By: "b"})
						if err != nil {
							t.Fatal(err)
						}
						u.awaitPhase(left, phase)
						time.Sleep(after)
						u.remove(left)
						time.Sleep(20 * time.Second)
						p := u.nvs()
						for _, e := range customers() {
							if got, ok := p.Lookup(e.Namespace, e.Key); !ok || !cmp.Equal(got, e.Value) {
								t.Errorf("%s/%s is lost", e.Namespace, e.Key)
							}
						}
						u.insert(left, u.unit)
						u.expect(u.result(left), jobs.Pass, "", "")
						u.wants(credentialsNumber(u.source.count())...)
					})
				})
			}
		}
	}
}

func TestReworkExpiresOrIsCancelled(t *testing.T) {
	r := bothReleases(t)["plain"]
	ask := jobs.Rework{Unit: unitOf(1), Reason: "r", By: "b"}
	for name, end := range map[string]func(*returned, jobs.Rework){
		"expires": func(*returned, jobs.Rework) { time.Sleep(2 * time.Hour) },
		"is cancelled": func(u *returned, r jobs.Rework) {
			if _, err := u.CancelRework(u.Context(), r.ID, "Bob", "wrong board"); err != nil {
				u.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			onReturn(t, r, nil, func(u *returned) {
				u.remove(left)
				before := u.unit.Flash().Bytes()
				ask := ask
				ask.Expires = time.Now().Add(time.Hour)
				end(u, must(u.AllowRework(t.Context(), ask)))
				u.insert(left, u.unit)
				u.expect(u.result(left), jobs.Refused, "ledger", "already_done")

				// Begun, and ended before it was done: the unit is nobody's to write.
				u.remove(left)
				ask.Expires = time.Now().Add(time.Hour)
				second := must(u.AllowRework(t.Context(), ask))
				u.insert(left, u.unit)
				u.awaitPhase(left, "read_nvs")
				if _, err := u.CancelRework(t.Context(), second.ID, "Bob", "too late"); !errors.Is(err, jobs.ErrReworkBegun) {
					t.Errorf("cancelled while it is carried out: %v", err)
				}
				u.remove(left)
				time.Sleep(20 * time.Second)
				end(u, second)
				u.insert(left, u.unit)
				a := u.result(left)
				u.expect(a, jobs.Refused, "ledger", "lapsed")
				if !strings.Contains(a.Failure.Hint, "flashd rework") {
					t.Errorf("the operator is told %+v", a.Failure)
				}
				if !bytes.Equal(before, u.unit.Flash().Bytes()) {
					t.Error("the unit was written")
				}
				u.expect(u.rework(jobs.Rework{}), jobs.Pass, "", "")
			})
		})
	}
}

// Whoever allows a rework while the unit is worked on, or has just failed one,
// need not take it out.
func TestReworkBeginsAtOnce(t *testing.T) {
	r := bothReleases(t)["plain"]
	app := r.Segments[len(r.Segments)-1]
	onReturn(t, r, nil, func(u *returned) {
		_, err := u.AllowRework(t.Context(), jobs.Rework{Unit: unitOf(1), Reason: "one", By: "b"})
		if err != nil {
			t.Fatal(err)
		}
		u.awaitPhase(left, "personalize")
		first := u.slot(left).Attempt
		if _, err := u.AllowRework(t.Context(), jobs.Rework{Unit: unitOf(1), Reason: "two", By: "b"}); err != nil {
			t.Fatal(err)
		}
		if v := u.slot(left); v.Rework != station.ReworkArmed {
			t.Errorf("the tile shows %+v", v)
		}
		u.await(left, "the second", func(s station.SlotView) bool { return s.Attempt > first })
		a := u.result(left)
		u.expect(a, jobs.Pass, "", "")
		if a.Rework.Reason != "two" {
			t.Errorf("the second attempt was made with %+v", a.Rework)
		}
		u.program(int(app.Offset), []byte("no application"))
		u.expect(u.rework(jobs.Rework{}), jobs.Error, "verify_firmware", "other_firmware")
		u.expect(u.rework(jobs.Rework{Reflash: true}), jobs.Pass, "", "")
	})
}

// A unit whose NVS alone is renewed is done at once, whatever its NVS holds: see
// flasher's speed_test.go for the goals.
func TestReworkIsQuick(t *testing.T) {
	r := bothReleases(t)["plain"]
	for name, tc := range map[string]struct {
		wiring espsim.Wiring
		device hotplug.Device
		limit  time.Duration
	}{
		"bridge": {espsim.Bridge, hotplug.Device{VID: 0x10C4, PID: 0xEA60}, time.Second},
		"USB":    {espsim.USBSerialJTAG, hotplug.Device{VID: 0x303A, PID: 0x1001}, 600 * time.Millisecond},
	} {
		for what, use := range map[string]func(*returned){
			"as it was":     func(*returned) {},
			"full":          func(u *returned) { u.use(nvsgen.Blob("log", "more", bytes.Repeat([]byte("log "), 1500))) },
			"nothing whole": func(u *returned) { u.program(int(r.NVS.Offset), bytes.Repeat([]byte{0x5A}, r.NVS.Size)) },
		} {
			t.Run(fmt.Sprintf("%s, %s", name, what), func(t *testing.T) {
				onReturn(t, r, nil, func(u *returned) {
					use(u)
					u.remove(left)
					u.unit = espsim.New(espsim.Config{
						Model: espsim.ESP32S3, MAC: macOf(1), Flash: u.unit.Flash(), Wiring: tc.wiring, Timing: espsim.Realistic(tc.wiring),
					})
					if _, err := u.AllowRework(t.Context(), jobs.Rework{Unit: unitOf(1), Reason: "r", By: "b"}); err != nil {
						t.Fatal(err)
					}
					u.insertAs(left, u.unit, tc.device)
					a := u.result(left)
					u.expect(a, jobs.Pass, "", "")
					var took time.Duration
					for _, p := range a.Phases {
						took += time.Duration(p.Seconds * float64(time.Second))
						if p.Name == "verify_nvs" {
							break
						}
					}
					t.Logf("%v", took)
					if took > tc.limit {
						t.Errorf("it took %v from the open port to verified credentials, want at most %v", took, tc.limit)
					}
				})
			})
		}
	}
}
