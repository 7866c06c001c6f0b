package flasher_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/flasher/espsim"
)

// span is where a part lies: offset and size.
type span struct{ Offset, Size int }

func spans(parts []*flasher.Packed) []span {
	var out []span
	for _, p := range parts {
		out = append(out, span{int(p.Offset), p.Size})
	}
	return out
}

// edited is data with a byte changed at each place.
func edited(data []byte, places ...int) []byte {
	data = slices.Clone(data)
	for _, at := range places {
		data[at] ^= 0x55
	}
	return data
}

func TestChanges(t *testing.T) {
	old := codeLike(0x45001)
	everySecond := []int{}
	for at := 0x10000; at < 0x20000; at += 0x2000 {
		everySecond = append(everySecond, at)
	}
	for _, tc := range []struct {
		name string
		data []byte
		want []span
	}{
		{"none", old, nil},
		{"one sector", edited(old, 0x1234), []span{{0x11000, 0x1000}}},
		{"neighbours", edited(old, 0x1FFF, 0x2000), []span{{0x11000, 0x2000}}},
		{"apart", edited(old, 0, 0x5000), []span{{0x10000, 0x1000}, {0x15000, 0x1000}}},
		{"much of a block", edited(old, everySecond...), []span{{0x20000, 0x10000}}},
		{"the end", edited(old, 0x45000), []span{{0x55000, 4}}},
		{"longer", append(slices.Clone(old), make([]byte, 0x2000)...), []span{{0x55000, 0x2004}}},
		{"shorter", old[:0x20000], nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			changes, err := pack(t, "app", 0x10000, tc.data).Changes(pack(t, "app", 0x10000, old))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, spans(changes)); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := pack(t, "app", 0x10000, old).Changes(pack(t, "app", 0x20000, old)); err == nil {
		t.Error("segments at other offsets were compared")
	}
}

func TestWriteChanges(t *testing.T) {
	old := codeLike(300_000)
	newer := edited(old, 5000, 200_000)
	const sector = flasher.SectorSize
	for name, tc := range map[string]struct {
		held    []byte
		written int
		verify  error
	}{
		"as believed":      {old, 2 * sector, nil},
		"another, a bit":   {edited(old, 100_000), 2 * sector, flasher.Mismatch},
		"another, at once": {edited(old, 10), len(newer), nil},
		"nothing":          {nil, len(newer), nil},
		"new already":      {newer, 2 * sector, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				chip := simulate(espsim.ESP32S3, espsim.Bridge)
				defer chip.Close()
				if err := chip.Flash().Program(0x10000, tc.held); err != nil {
					t.Fatal(err)
				}
				d, err := open(t.Context(), chip, optionsFor(espsim.Bridge, false))
				if err != nil {
					t.Fatal(err)
				}
				defer d.Close()
				p := pack(t, "app", 0x10000, newer)
				changes, err := p.Changes(pack(t, "app", 0x10000, old))
				if err != nil {
					t.Fatal(err)
				}
				before := chip.Stats().In
				if err := d.WriteChanges(t.Context(), p, changes, nil); err != nil {
					t.Fatal(err)
				}
				if d.Written() != int64(tc.written) {
					t.Errorf("%d bytes are said to be written, want %d", d.Written(), tc.written)
				}
				if err := d.Verify(t.Context(), p); !errors.Is(err, tc.verify) {
					t.Errorf("Verify: %v, want %v", err, tc.verify)
				}
				if tc.verify == nil && !bytes.Equal(chip.Flash().Bytes()[0x10000:][:len(newer)], newer) {
					t.Error("the flash holds something else")
				}
				if sent := chip.Stats().In - before; name == "as believed" && sent > 3*flasher.SectorSize {
					t.Errorf("%d bytes were sent for two sectors", sent)
				}
			})
		})
	}
}

func TestUpdateFlash(t *testing.T) {
	old := make([]byte, 0x5000)
	for i := range old {
		old[i] = 0xFF
	}
	copy(old, codeLike(1000))
	newer := edited(old, 10)
	for _, noStub := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			chip := simulate(espsim.ESP32S3, espsim.Bridge)
			defer chip.Close()
			if err := chip.Flash().Program(0x9000, old); err != nil {
				t.Fatal(err)
			}
			d, err := open(t.Context(), chip, optionsFor(espsim.Bridge, noStub))
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			p := pack(t, "nvs", 0x9000, newer)
			last := 0
			progress := func(done, total int) {
				if done < last || total != len(newer) {
					t.Errorf("progress %d of %d after %d", done, total, last)
				}
				last = done
			}
			if err := errors.Join(d.UpdateFlash(t.Context(), p, progress), d.Verify(t.Context(), p)); err != nil {
				t.Fatal(err)
			}
			if last != len(newer) {
				t.Errorf("progress ended at %d", last)
			}
			// What is there already costs a digest and nothing more.
			before := chip.Stats().In
			if err := d.UpdateFlash(t.Context(), p, nil); err != nil {
				t.Fatal(err)
			}
			if sent := chip.Stats().In - before; sent > 200 {
				t.Errorf("%d bytes were sent for nothing", sent)
			}
		})
	}
}
