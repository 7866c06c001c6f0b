package config_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/internal/config"
)

var learned = config.Slots{{Path: "1-1.2", Name: "left"}, {Path: "1-1.10", Name: "right: far"}, {Path: "2-3", Name: "3"}}

// Slots take the place of those that were there; all else stays as it was.
func TestSaveSlots(t *testing.T) {
	const section = "slots:\n  1-1.2: left\n  1-1.10: \"right: far\"\n  2-3: 3\n"
	for _, tc := range []struct{ name, text, want string }{
		{"empty file", "", section},
		{"at the end", "station:   a # of line 1\n\n\nlog: {level: debug}", "station:   a # of line 1\n\n\nlog: {level: debug}\n\n" + section},
		{
			"where the example is", "station: a\n# The slots.\n# slots:\n#   1-1.1: left-1\n\nusb:\n  accept: []\n",
			"station: a\n# The slots.\n# slots:\n#   1-1.1: left-1\n" + section + "\nusb:\n  accept: []\n",
		},
		{
			"not in the middle of a section", "log:\n# slots:\n  level: debug\n",
			"log:\n# slots:\n  level: debug\n\n" + section,
		},
		{"no value", "slots:   # the fixture\n# about the log\nlog:\n  level: info\n", "slots:   # the fixture\n" + section[len("slots:\n"):] + "# about the log\nlog:\n  level: info\n"},
		{"null", "slots: ~\nrelease: r\n", section + "release: r\n"},
		{"flow", "slots: {1-1: a,\n   1-2: b}\n\n\nrelease: r\n", section + "\n\nrelease: r\n"},
		{"others", "slots:\n  1-1.1: 1\n  1-1.2: 2\n\n# next\nrelease: r\n", section + "\n# next\nrelease: r\n"},
		{"last in the file", "release: r\nslots:\n  1-1.1: 1", "release: r\n" + section},
		{
			"comments",
			"slots: # seen from the front\n    # far from the door\n    1-1.1: 1 # broken\n\n    # near it\n    1-1.2: 2   # its cable is short\n    # 1-1.3: 3\n  # about the log\nlog: {level: info}\n",
			"slots: # seen from the front\n    # far from the door\n    # near it\n    1-1.2: left   # its cable is short\n    1-1.10: \"right: far\"\n    2-3: 3\n    # 1-1.3: 3\n  # about the log\nlog: {level: info}\n",
		},
		{"Windows", "slots:\r\n  1-1.2: 2 # here\r\nrelease: r\r\n", "slots:\r\n  1-1.2: left # here\n  1-1.10: \"right: far\"\n  2-3: 3\nrelease: r\r\n"},
		{"indented", "  station: a\n  slots:\n    1-1: 1\n  release: r\n", "  station: a\n  slots:\n    1-1.2: left\n    1-1.10: \"right: far\"\n    2-3: 3\n  release: r\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := write(t, tc.text)
			if err := errors.Join(config.CanSaveSlots(path), config.SaveSlots(path, learned)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, read(t, path)); diff != "" {
				t.Error(diff)
			}
			c, err := config.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(learned, c.Slots); diff != "" {
				t.Error(diff)
			}
			alone(t, path)
		})
	}
}

// The example file keeps every line that it has.
func TestSaveSlotsIntoTheExample(t *testing.T) {
	text := strings.Replace(read(t, example), "  source: server\n", "  source: csv\n  csv: {file: /f}\n", 1)
	path := write(t, text)
	for range 2 { // the second time they are there already
		if err := config.SaveSlots(path, learned); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(text, strings.Replace(read(t, path), learned.String(), "", 1)); diff != "" {
			t.Error(diff)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// alone makes sure that nothing is left beside path.
func alone(t *testing.T, path string) {
	t.Helper()
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("in the folder are %v, %v", entries, err)
	}
}

func TestSaveSlotsMakesAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "flashd.yaml")
	if err := config.SaveSlots(path, learned); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(learned.String(), read(t, path)); diff != "" {
		t.Error(diff)
	}
	alone(t, path)
}

// What cannot be edited stays as it is.
func TestSaveSlotsKeepsWhatItCannotEdit(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       error
	}{
		{"all in one line", "{station: a, slots: {1-1: b}}\n", config.ErrLayout},
		{"closed", "station: a\n...\n", config.ErrLayout},
		{"not right", "sttation: a\n", nil},
		{"not YAML", "station: [a\n", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := write(t, tc.text)
			for _, err := range []error{config.CanSaveSlots(path), config.SaveSlots(path, learned)} {
				if err == nil || tc.want != nil && !errors.Is(err, tc.want) {
					t.Errorf("got %v, want %v", err, tc.want)
				}
			}
			if diff := cmp.Diff(tc.text, read(t, path)); diff != "" {
				t.Error(diff)
			}
			alone(t, path)
		})
	}
}

func TestCanSaveSlots(t *testing.T) {
	if err := config.CanSaveSlots(filepath.Join(t.TempDir(), "flashd.yaml")); err != nil {
		t.Errorf("a new file: %v", err)
	}
	if err := config.CanSaveSlots(filepath.Join(t.TempDir(), "none", "flashd.yaml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in no folder: %v", err)
	}
}

func TestSaveSlotsKeepsLinkAndMode(t *testing.T) {
	path := write(t, "station: a\n")
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link.yaml")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := config.SaveSlots(link, learned); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{link: os.ModeSymlink, path: 0} {
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Type() != want || want == 0 && info.Mode().Perm() != 0o640 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
	}
}

// Whatever the file: afterwards it has these slots and nothing else is changed,
// or it is as it was.
func FuzzSaveSlots(f *testing.F) {
	f.Add("slots:\n  1-1: 1 # a\n# b\nlog: {level: info}\n", "left")
	f.Add("# slots:\n#  1-1: a\n\nusb:\n  accept: []\n", "a: b # c")
	f.Add("slots: {1-2: 3}\r\n", "\u2028\"\n")
	f.Fuzz(func(t *testing.T, text, name string) {
		path := write(t, text)
		before, err := config.Load(path)
		if err != nil {
			t.Skip()
		}
		slots := config.Slots{{Path: "1-1.2", Name: name}, {Path: "1-1.3", Name: "another"}}
		if config.SaveSlots(path, slots) != nil {
			if got := read(t, path); got != text {
				t.Errorf("%q became %q", text, got)
			}
			return
		}
		after, err := config.Load(path)
		if err != nil {
			t.Fatalf("%q became %q: %v", text, read(t, path), err)
		}
		before.Slots = slots
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("%q became %q: %s", text, read(t, path), diff)
		}
	})
}
