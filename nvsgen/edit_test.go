package nvsgen_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/nvsgen"
)

// A rework of a unit that a customer has had: new credentials, and all else
// stays, on every aged partition of the folder.
func TestGolden_edit(t *testing.T) {
	tested := 0
	for _, v := range loadVectors(t) {
		if v.file(t, ".script") == nil {
			continue
		}
		tested++
		t.Run(v.name, func(t *testing.T) {
			image, keys := v.file(t, ".bin"), v.keysOf(t)
			p := mustParse(t, image, keys)
			want := map[string]nvsgen.Value{"gateway/mqtt_pass": nvsgen.Text("new password")}
			for _, e := range keysOnly(p.Rows()) {
				if k := e.Namespace + "/" + e.Key; want[k] == nil {
					want[k] = e.Value
				}
			}
			full := p.Stats.Available == 0
			if err := p.Set(nvsgen.String("gateway", "mqtt_pass", "new password")); err != nil {
				t.Fatal(err)
			}
			edited, err := p.Image()
			if full && errors.Is(err, nvsgen.ErrFull) {
				return // aged until nothing more fits
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(edited) != len(image) {
				t.Fatalf("%d bytes, want %d", len(edited), len(image))
			}
			after := mustParse(t, edited, keys)
			if !after.Untouched || len(after.Problems) > 0 {
				t.Errorf("firmware would write to it: %v", after.Problems)
			}
			got := map[string]nvsgen.Value{}
			for _, e := range after.Entries {
				got[e.Namespace+"/"+e.Key] = e.Value
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
		})
	}
	if tested == 0 {
		t.Error("no aged case in the folder")
	}
}

func TestPartition_Set_refused(t *testing.T) {
	image, err := nvsgen.Generate([]nvsgen.Entry{nvsgen.U8("n", "k", 1)}, 0x3000, nil)
	p := reopen(t, image, err)
	for _, tc := range []struct {
		entry nvsgen.Entry
		want  error
	}{
		{nvsgen.Namespace("n"), nvsgen.ErrBadValue},
		{nvsgen.U8("n", "a-key-of-16-bytes", 1), nvsgen.ErrNameTooLong},
		{nvsgen.Blob("n", "k", make([]byte, nvsgen.MaxBlobLen+1)), nvsgen.ErrValueTooLong},
	} {
		if err := p.Set(tc.entry); !errors.Is(err, tc.want) {
			t.Errorf("%v: %v, want %v", tc.entry, err, tc.want)
		}
	}
	if got, ok := p.Lookup("n", "k"); !ok || got != nvsgen.Uint8(1) {
		t.Errorf("the value is %v after refused changes, want 1", got)
	}
}

func TestPartition_Remove(t *testing.T) {
	image, err := nvsgen.Generate([]nvsgen.Entry{nvsgen.U8("n", "k", 1), nvsgen.U8("m", "k", 2)}, 0x3000, nil)
	p := reopen(t, image, err)
	if p.Remove("n", "other") {
		t.Error("removed a key that is not there")
	}
	if !p.Remove("n", "k") || p.Remove("n", "k") {
		t.Error("want the key removed once")
	}
	image, err = p.Image()
	after := reopen(t, image, err)
	if diff := cmp.Diff([]nvsgen.Entry{nvsgen.U8("m", "k", 2)}, after.Entries); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	want := []nvsgen.NamespaceInfo{{Name: "n", Index: 1}, {Name: "m", Index: 2, Used: 1}}
	if diff := cmp.Diff(want, after.Namespaces); diff != "" {
		t.Errorf("namespaces (-want +got):\n%s", diff)
	}
}

// The firmware packs a page to its end, the generator does not. A partition
// that the firmware has filled can be edited nevertheless.
func TestPartition_Image_packsTight(t *testing.T) {
	fit := func(n int) []nvsgen.Entry { // strings of 42 entries, 3 in a page
		var entries []nvsgen.Entry
		for i := range n {
			entries = append(entries, nvsgen.String("n", fmt.Sprintf("s%d", i), strings.Repeat("x", 41*32-1)))
		}
		return entries
	}
	image, err := nvsgen.Generate(fit(1), 0x3000, nil)
	p := reopen(t, image, err)
	want := fit(6) // two pages of exactly 126 entries, with the one for the name
	want[2].Value = nvsgen.Text(strings.Repeat("x", 40*32-1))
	if _, err := nvsgen.Generate(want, 0x3000, nil); !errors.Is(err, nvsgen.ErrFull) {
		t.Fatalf("generate: %v, want %v", err, nvsgen.ErrFull)
	}
	for _, e := range want {
		if err := p.Set(e); err != nil {
			t.Fatal(err)
		}
	}
	image, err = p.Image()
	after := reopen(t, image, err)
	if diff := cmp.Diff(want, after.Entries); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

func TestDiff(t *testing.T) {
	parse := func(entries ...nvsgen.Entry) *nvsgen.Partition {
		image, err := nvsgen.Generate(entries, 0x3000, nil)
		return reopen(t, image, err)
	}
	a := parse(nvsgen.U8("n", "same", 1), nvsgen.U8("n", "changed", 1), nvsgen.U8("n", "retyped", 1), nvsgen.U8("n", "gone", 1))
	b := parse(nvsgen.U8("n", "new", 1), nvsgen.U8("n", "changed", 2), nvsgen.I8("n", "retyped", 1), nvsgen.U8("n", "same", 1))
	want := []nvsgen.Change{
		{Old: nvsgen.U8("n", "changed", 1), New: nvsgen.U8("n", "changed", 2)},
		{Old: nvsgen.U8("n", "retyped", 1), New: nvsgen.I8("n", "retyped", 1)},
		{Old: nvsgen.U8("n", "gone", 1), New: nvsgen.Entry{Namespace: "n", Key: "gone"}},
		{Old: nvsgen.Entry{Namespace: "n", Key: "new"}, New: nvsgen.U8("n", "new", 1)},
	}
	if diff := cmp.Diff(want, nvsgen.Diff(a, b)); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}
