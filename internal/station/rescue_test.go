package station_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hoptech.co.nz/flashd/flasher/espsim"
	"hoptech.co.nz/flashd/internal/firmware"
	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/jobs"
	"hoptech.co.nz/flashd/nvsgen"
)

// fullNVS is a partition that is full but for two entries in each page, so that no
// page can be changed without the others.
func fullNVS(t *testing.T, r *firmware.Release) []byte {
	t.Helper()
	entries := credentialsNumber(1)
	key := func(i int) string { return fmt.Sprintf("k%03d", i) }
	for i := 0; ; i++ {
		more := append(entries, nvsgen.U8("cust", key(i), uint8(i)))
		if _, err := nvsgen.Generate(more, r.NVS.Size, nil); err != nil {
			break
		}
		entries = more
	}
	image := must(nvsgen.Generate(entries, r.NVS.Size, nil))
	p := must(nvsgen.Parse(image))
	for _, i := range []int{20, 21, 150, 151, 280, 281, 400, 401} {
		if !p.Remove("cust", key(i)) {
			t.Fatalf("there is no key %d", i)
		}
	}
	writes, safe, err := p.Writes()
	if err != nil || !safe {
		t.Fatal(err, safe)
	}
	for _, w := range writes {
		copy(image[w.Page*nvsgen.PageSize:], w.Data)
	}
	return image
}

// A full partition is packed anew, page over page, when the unit is taken out. What
// it held is restored when it is put in again, even if its firmware or somebody else
// has made nothing of the rest meanwhile, and if the rework that was cut off is over:
// it is the next one's then to restore it.
func TestReworkRestoresWhatWasCutOff(t *testing.T) {
	for _, tc := range []struct {
		cut   int              // which of the writes
		wiped bool             // before the unit is put in again
		over  jobs.ReworkState // what has become of the rework by then
	}{
		{1, false, jobs.ReworkArmed},
		{2, false, jobs.ReworkArmed},
		{3, false, jobs.ReworkArmed},
		{4, false, jobs.ReworkArmed},
		{2, true, jobs.ReworkArmed},
		{2, false, jobs.ReworkReplaced},
		{2, false, jobs.ReworkCancelled},
		{2, true, jobs.ReworkExpired},
	} {
		t.Run(fmt.Sprintf("in write %d, wiped %t, %s", tc.cut, tc.wiped, tc.over), func(t *testing.T) {
			r, folder := bothReleases(t)["plain"], filepath.Join(t.TempDir(), "rework")
			onReturn(t, r, func(c *station.Config) { c.Rescue = folder }, func(u *returned) {
				image := fullNVS(t, r)
				u.program(int(r.NVS.Offset), image)
				u.remove(left)
				flash := u.unit.Flash()
				put := func(faults ...espsim.Fault) {
					u.unit = espsim.New(espsim.Config{
						Model: espsim.ESP32S3, MAC: macOf(1), Flash: flash, Wiring: espsim.USBSerialJTAG,
						Timing: espsim.Realistic(espsim.USBSerialJTAG), Faults: faults,
					})
					u.insert(left, u.unit)
				}
				asked := jobs.Rework{
					Unit: unitOf(1), Reason: "customer return", By: "Eve", KeepAll: true, Expires: time.Now().Add(time.Hour),
					Set: map[string]string{"gateway:comment": strings.Repeat("ab ", 20)},
				}
				first := must(u.AllowRework(u.Context(), asked))
				put(espsim.Fault{Kind: espsim.DetachCommand, Op: 0x10, Nth: tc.cut}) // FLASH_DEFL_BEGIN
				u.await(left, "an end", func(s station.SlotView) bool { return s.State != station.Working && s.State != station.Empty })
				u.remove(left)
				if kept := must(os.ReadDir(folder)); len(kept) != 1 {
					t.Errorf("%d files are kept, want 1", len(kept))
				}
				if tc.wiped {
					u.program(int(r.NVS.Offset), bytes.Repeat([]byte{0xFF}, r.NVS.Size))
				}
				switch tc.over {
				case jobs.ReworkCancelled:
					must(u.CancelRework(u.Context(), first.ID, "Eve", "another is due"))
				case jobs.ReworkExpired:
					time.Sleep(2 * time.Hour)
				}
				if tc.over != jobs.ReworkArmed {
					asked.Expires = time.Time{}
					must(u.AllowRework(u.Context(), asked))
				}
				put()
				u.expect(u.result(left), jobs.Pass, "", "")
				now := u.nvs()
				for _, e := range must(nvsgen.Parse(image)).Entries {
					if got, _ := now.Lookup(e.Namespace, e.Key); got != e.Value {
						t.Errorf("%s/%s is %v, want %v", e.Namespace, e.Key, got, e.Value)
					}
				}
				if kept := must(os.ReadDir(folder)); len(kept) != 0 {
					t.Errorf("%d files are left", len(kept))
				}
			})
		})
	}
}

// What was kept for a rework that was done is not brought back by a later one, should
// it still be there: the unit has lost nothing since.
func TestReworkBringsBackNothingFromLongAgo(t *testing.T) {
	r, folder := bothReleases(t)["plain"], filepath.Join(t.TempDir(), "rework")
	onReturn(t, r, func(c *station.Config) { c.Rescue = folder }, func(u *returned) {
		old := bytes.Clone(u.unit.Flash().Bytes()[r.NVS.Offset:][:r.NVS.Size])
		first := must(u.AllowRework(u.Context(), jobs.Rework{Unit: unitOf(1), Reason: "customer return", By: "Eve", Reflash: true}))
		u.await(left, "work", func(s station.SlotView) bool { return s.State == station.Working })
		u.expect(u.result(left), jobs.Pass, "", "")
		if err := errors.Join(os.MkdirAll(folder, 0o700), os.WriteFile(filepath.Join(folder, fmt.Sprintf("%s-%d.nvs", unitOf(1), first.ID)), old, 0o600)); err != nil {
			t.Fatal(err)
		}
		must(u.AllowRework(u.Context(), jobs.Rework{Unit: unitOf(1), Reason: "broker moved", By: "Eve"}))
		u.await(left, "work", func(s station.SlotView) bool { return s.State == station.Working })
		u.expect(u.result(left), jobs.Pass, "", "")
		if ssid, there := u.nvs().Lookup("wifi", "ssid"); there {
			t.Errorf("wifi/ssid is %v again", ssid)
		}
	})
}

// What a unit holds is not touched before it is kept: the unit waits until it can be.
func TestReworkWaitsForTheRescueFolder(t *testing.T) {
	r, folder := bothReleases(t)["plain"], filepath.Join(t.TempDir(), "rework")
	onReturn(t, r, func(c *station.Config) { c.Rescue = folder }, func(u *returned) {
		if err := errors.Join(os.RemoveAll(folder), os.WriteFile(folder, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		before := u.nvs()
		u.remove(left)
		if _, err := u.AllowRework(u.Context(), jobs.Rework{Unit: unitOf(1), Reason: "customer return", By: "Eve"}); err != nil {
			t.Fatal(err)
		}
		u.insert(left, u.unit)
		v := u.await(left, "waiting", func(v station.SlotView) bool { return v.Message != "" })
		if v.State != station.Working || !strings.Contains(v.Message, "before their rework") {
			t.Errorf("shown: %+v", v)
		}
		time.Sleep(time.Hour)
		if u.Ready() == nil || !strings.Contains(u.View().Held, folder) {
			t.Errorf("ready: %v, held %q", u.Ready(), u.View().Held)
		}
		if len(nvsgen.Diff(before, u.nvs())) > 0 {
			t.Error("NVS was touched")
		}
		if err := os.Remove(folder); err != nil {
			t.Fatal(err)
		}
		u.expect(u.result(left), jobs.Pass, "", "")
		if u.Ready() != nil {
			t.Errorf("ready: %v", u.Ready())
		}
	})
}

// A unit that waited for the folder and was taken out keeps the line waiting no longer:
// the next rework may be weeks away.
func TestNothingWaitsForTheRescueFolderOnceTheUnitIsGone(t *testing.T) {
	r, folder := bothReleases(t)["plain"], filepath.Join(t.TempDir(), "rework")
	onReturn(t, r, func(c *station.Config) { c.Rescue = folder }, func(u *returned) {
		if err := errors.Join(os.RemoveAll(folder), os.WriteFile(folder, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		must(u.AllowRework(u.Context(), jobs.Rework{Unit: unitOf(1), Reason: "customer return", By: "Eve"}))
		v := u.await(left, "waiting", func(v station.SlotView) bool { return v.Message != "" && v.State == station.Working })
		if u.Ready() == nil {
			t.Error("the line is ready while a unit waits")
		}
		u.remove(left)
		u.await(left, "empty", func(v station.SlotView) bool { return v.State == station.Empty })
		if u.Ready() != nil || u.View().Held != "" {
			t.Errorf("ready: %v, held %q", u.Ready(), u.View().Held)
		}
		u.expect(u.attempt(v.Attempt), jobs.Error, "ledger", "detached")
	})
}
