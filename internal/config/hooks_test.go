package config_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hoptech.co.nz/flashd/internal/config"
)

func TestHooksThatAreNoCommands(t *testing.T) {
	for text, want := range map[string]string{
		"hooks: {pass: /bin/true}":              "hooks.pass: want a list of a program and its arguments",
		"hooks: {pass: []}":                     "hooks.pass: name a program, or leave the key out",
		`hooks: {pass: ["", x]}`:                "hooks.pass: name a program, or leave the key out",
		"hooks: {pass: [/bin/true, [x]]}":       "hooks.pass: want words only in the list",
		"hooks: {passed: [/bin/true]}":          "hooks.passed: there is no such key; did you mean hooks.pass?",
		"hooks: {timeout: 1h}":                  "hooks.timeout: 1h0m0s is out of range",
		"hooks: {attach: [/bin/true], error: }": "",
	} {
		_, err := config.Load(write(t, text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

// Whoever may change what is run, or the file that says so, could do anything
// that flashd may.
func TestHooksAreSafe(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(t *testing.T, dir string) error
		want string // in the error; DIR stands for the folder
	}{
		{"all is well", func(*testing.T, string) error { return nil }, ""},
		{"file for the group", func(_ *testing.T, dir string) error { return os.Chmod(dir+"/flashd.yaml", 0o664) }, "others may change DIR/flashd.yaml (mode 0664), and could have anything run: chmod go-w DIR/flashd.yaml"},
		{"file for all", func(_ *testing.T, dir string) error { return os.Chmod(dir+"/flashd.yaml", 0o666) }, "chmod go-w DIR/flashd.yaml"},
		{"program for all", func(_ *testing.T, dir string) error { return os.Chmod(dir+"/bin/label", 0o757) }, "chmod go-w DIR/bin/label"},
		{"folder for all", func(_ *testing.T, dir string) error { return os.Chmod(dir+"/bin", 0o777) }, "chmod go-w DIR/bin"},
		{"folder like /tmp", func(_ *testing.T, dir string) error { return os.Chmod(dir+"/bin", 0o777|os.ModeSticky) }, ""},
		{"no program", func(_ *testing.T, dir string) error { return os.Remove(dir + "/bin/label") }, "no such file"},
		{"not to be run", func(_ *testing.T, dir string) error { return os.Chmod(dir+"/bin/label", 0o644) }, "DIR/bin/label is no program that this user may run"},
		{"a link to an open folder", func(t *testing.T, dir string) error {
			other := open(t)
			if err := os.WriteFile(other+"/label", nil, 0o755); err != nil {
				return err
			}
			return relink(other+"/label", dir+"/bin/label")
		}, "others may change"},
		{"a link to a link in an open folder", func(t *testing.T, dir string) error {
			other := open(t)
			if err := os.Rename(dir+"/bin/label", dir+"/label"); err != nil {
				return err
			}
			if err := os.Symlink(dir+"/label", other+"/label"); err != nil {
				return err
			}
			return os.Symlink(other+"/label", dir+"/bin/label")
		}, "others may change"},
		{"a link that is well", func(_ *testing.T, dir string) error {
			if err := os.Rename(dir+"/bin/label", dir+"/label"); err != nil {
				return err
			}
			return os.Symlink("../label", dir+"/bin/label")
		}, ""},
		{"a link to itself", func(_ *testing.T, dir string) error { return relink("label", dir+"/bin/label") }, "too many levels of symbolic links"},
		{"a link in an open folder", func(t *testing.T, dir string) error {
			other := open(t)
			if err := os.Rename(dir+"/bin/label", dir+"/label"); err != nil {
				return err
			}
			if err := os.Symlink(dir+"/label", other+"/label"); err != nil {
				return err
			}
			if err := os.Remove(dir + "/bin"); err != nil {
				return err
			}
			return os.Symlink(other, dir+"/bin")
		}, "others may change"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "flashd.yaml")
			for _, err := range []error{
				os.WriteFile(file, []byte("hooks: {pass: [bin/label]}\n"), 0o644), os.Mkdir(dir+"/bin", 0o755), os.WriteFile(dir+"/bin/label", nil, 0o755),
				os.Chmod(dir, 0o755), tc.do(t, dir),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
			c, err := config.Load(file)
			if err != nil {
				t.Fatal(err)
			}
			err = c.Hooks.Safe(file)
			want := strings.ReplaceAll(tc.want, "DIR", dir)
			if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), "hooks are not run: ") || !strings.Contains(err.Error(), want)) {
				t.Errorf("got %v, want %q", err, want)
			}
		})
	}
}

// open is a folder in which everybody may write.
func open(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

func relink(target, link string) error {
	if err := os.Remove(link); err != nil {
		return err
	}
	return os.Symlink(target, link)
}

// Without hooks the file may be anybody's.
func TestNoHooksAreSafe(t *testing.T) {
	path := write(t, "station: a\n")
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := config.Default().Hooks.Safe(path); err != nil {
		t.Error(err)
	}
}

// Of another user's file nobody but that user knows what will be in it.
func TestAnotherUsersFileIsNotInGoodHands(t *testing.T) {
	for uid, want := range map[int]string{
		os.Geteuid():     "",
		0:                "",
		os.Geteuid() + 1: fmt.Sprintf("/f belongs to another user (%d), who could have anything run: chown root /f", os.Geteuid()+1),
	} {
		err := config.InGoodHands("/f", owned{uid})
		if want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("user %d: got %v, want %q", uid, err, want)
		}
	}
}

// owned describes a file of a user.
type owned struct{ uid int }

func (owned) Name() string       { return "f" }
func (owned) Size() int64        { return 0 }
func (owned) Mode() fs.FileMode  { return 0o600 }
func (owned) ModTime() time.Time { return time.Time{} }
func (owned) IsDir() bool        { return false }
func (o owned) Sys() any         { return &syscall.Stat_t{Uid: uint32(o.uid)} }
