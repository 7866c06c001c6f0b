package hotplug_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/internal/hotplug"
)

func TestComparePaths(t *testing.T) {
	got := []string{"10-1", "1-10", "1-2.10", "1-2", "2-1", "1-2.3", "1-2.3.1"}
	slices.SortFunc(got, hotplug.ComparePaths)
	want := []string{"1-2", "1-2.3", "1-2.3.1", "1-2.10", "1-10", "2-1", "10-1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestValidPath(t *testing.T) {
	for path, want := range map[string]bool{
		"1-1": true, "1-1.2": true, "17-2.3.4.1.2.3.4": true,
		"": false, "1": false, "usb1": false, "1-": false, "-1": false, "1-0": false, "1-01": false, "1-1.": false, "1-1..2": false,
		"1-1:1.0": false, "1-+1": false, "1-1.2.3.4.5.6.7.8": false, "1:1.2": false, "1-1342 ": false, "0-1": false,
	} {
		if got := hotplug.ValidPath(path); got != want {
			t.Errorf("%q: %v", path, got)
		}
	}
}

func TestParseID(t *testing.T) {
	for _, s := range []string{"303a:1001", "303A:1001"} {
		id, err := hotplug.ParseID(s)
		if err != nil || id != (hotplug.ID{VID: 0x303A, PID: 0x1001}) {
			t.Errorf("%s: %v, %v", s, id, err)
		}
	}
	for _, s := range []string{"", "303a", "303a:", "303a:10011", "0x303a:1001", "303a:1001:1", "30 a:1001", "+03a:1001"} {
		if id, err := hotplug.ParseID(s); err == nil {
			t.Errorf("%q was read as %v", s, id)
		}
	}
}

func TestKnown(t *testing.T) {
	for _, id := range []string{"303A:1001", "303A:0009", "10C4:EA60", "1A86:7523", "1A86:55D3", "1A86:55D4", "0403:6001", "0403:6010", "0403:6014", "0403:6015"} {
		if !hotplug.Known(parseID(t, id)) {
			t.Errorf("%s is not known", id)
		}
	}
	for _, id := range []string{"046D:C31C", "1D6B:0002", "10C4:0001"} {
		if hotplug.Known(parseID(t, id)) {
			t.Errorf("%s is known", id)
		}
	}
}

func parseID(t *testing.T, s string) hotplug.ID {
	t.Helper()
	id, err := hotplug.ParseID(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// FuzzParseID: what parses prints as it was.
func FuzzParseID(f *testing.F) {
	f.Add("303A:1001")
	f.Add("10c4:ea60")
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := hotplug.ParseID(s); err == nil && !strings.EqualFold(id.String(), s) {
			t.Errorf("%q was read as %v", s, id)
		}
	})
}

// FuzzPaths: the order is total, and equal means the same.
func FuzzPaths(f *testing.F) {
	f.Add("1-1.2", "1-12")
	f.Add("99999999999999999999-1", "1-1")
	f.Fuzz(func(t *testing.T, a, b string) {
		hotplug.ValidPath(a)
		ab, ba := hotplug.ComparePaths(a, b), hotplug.ComparePaths(b, a)
		if ab != -ba || (ab == 0) != (a == b) {
			t.Errorf("%q, %q: %d, %d", a, b, ab, ba)
		}
	})
}

func TestHub(t *testing.T) {
	for path, want := range map[string]string{"1-1.2": "1-1", "1-1.2.10": "1-1.2", "2-3": "usb2", "12-10": "usb12"} {
		if got := hotplug.Hub(path); got != want {
			t.Errorf("Hub(%q) = %q, want %q", path, got, want)
		}
	}
}
