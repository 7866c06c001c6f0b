package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hoptech.co.nz/flashd/internal/config"
	"hoptech.co.nz/flashd/jobs"
)

const saltOfTest = "0123456789abcdef0123456789abcdef"

// newPatient is a healthy station whose machine is in a folder.
func newPatient(t *testing.T) *patient {
	t.Helper()
	cfg := config.Default()
	root := t.TempDir()
	cfg.StateDir = filepath.Join(root, "state")
	if err := os.Mkdir(cfg.StateDir, 0o700); err != nil {
		t.Fatal(err)
	}
	p := &patient{settings: settings{Config: cfg}, root: root, now: time.Now()}
	p.file(t, "lib/udev/rules.d/60-flashd.rules", "")
	p.file(t, "dev/ttyACM0", "")
	p.board(t, "1-1.2", "ttyACM0", "on")
	p.file(t, "salt", saltOfTest)
	cfg.Credentials.Source, cfg.Credentials.Derive.SaltFile = config.FromDerive, filepath.Join(root, "salt")
	return p
}

func (p *patient) file(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(p.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// board plugs a board in, as sysfs shows it.
func (p *patient) board(t *testing.T, path, tty, power string) {
	t.Helper()
	dir := "sys/bus/usb/devices/" + path + "/"
	for name, text := range map[string]string{"idVendor": "303a", "idProduct": "1001", "busnum": "1", "devnum": "5", "power/control": power} {
		p.file(t, dir+name, text+"\n")
	}
	if tty != "" {
		p.file(t, dir+path+":1.0/tty/"+tty+"/dev", "166:0\n")
	}
}

// passSalt has systemd pass the salt to the service.
func (p *patient) passSalt(t *testing.T, folder, file os.FileMode) {
	t.Helper()
	p.file(t, "etc/credstore/flashd.salt", saltOfTest)
	for name, mode := range map[string]os.FileMode{"etc/credstore/flashd.salt": file, "etc/credstore": folder} {
		if err := os.Chmod(filepath.Join(p.root, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	p.Credentials.Derive.SaltFile = "/run/credentials/flashd.service/salt"
}

func (p *patient) askServer(t *testing.T, h http.HandlerFunc) {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	p.file(t, "token", "tok-1")
	p.Credentials.Source = config.FromServer
	p.Credentials.Server.URL, p.Credentials.Server.TokenFile = srv.URL, filepath.Join(p.root, "token")
}

// openRecord opens the record until what it returns is called.
func (p *patient) openRecord(t *testing.T) (done func()) {
	t.Helper()
	store, err := jobs.Open(storePath(p.StateDir))
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestDoctorChecks(t *testing.T) {
	remove := func(name string) func(*testing.T, *patient) {
		return func(t *testing.T, p *patient) {
			if err := os.RemoveAll(filepath.Join(p.root, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, tt := range []struct {
		name  string
		check string
		ail   func(*testing.T, *patient)
		want  grade
		words string
	}{
		{"folder", "state directory", nil, good, "state"},
		{"folder to be made", "state directory", remove("state"), good, "to be made"},
		{"file instead", "state directory", func(_ *testing.T, p *patient) { p.StateDir = filepath.Join(p.root, "salt") }, bad, "not a folder"},
		{"open folder", "state directory", func(t *testing.T, p *patient) {
			if err := os.Chmod(p.StateDir, 0o777); err != nil {
				t.Fatal(err)
			}
		}, bad, "chmod o-w"},
		{"space", "disk", nil, "", "are free"},
		{"no record", "record", nil, good, "none yet"},
		{"record", "record", func(t *testing.T, p *patient) { p.openRecord(t)() }, good, "opens"},
		{"record in use", "record", func(t *testing.T, p *patient) { t.Cleanup(p.openRecord(t)) }, good, "in use"},
		{"no record at all", "record", func(t *testing.T, p *patient) { p.file(t, "state/jobs.db", "x") }, bad, "restore"},
		{"release", "release", func(t *testing.T, p *patient) {
			dir, _ := demoRelease(t)
			p.ImagesDir, p.simulate = dir, 1
		}, good, "demo, for esp32s3, is whole"},
		{"demo for real units", "release", func(t *testing.T, p *patient) { p.ImagesDir, _ = demoRelease(t) }, bad, "Make a release of your own"},
		{"no release", "release", func(_ *testing.T, p *patient) { p.ImagesDir = p.root; p.Release = "1.4" }, bad, "flashd image list"},
		{"no release before", "release", func(t *testing.T, p *patient) {
			dir, _ := demoRelease(t)
			p.ImagesDir, p.simulate, p.Release, p.PreviousRelease = dir, 1, "demo", "1.3"
		}, bad, "believed to hold"},
		{"stub switched off", "flasher stub", func(_ *testing.T, p *patient) { p.Flasher.Stub = false }, doubt, "ROM loader"},
		{"salt", "credentials", nil, good, "from derive"},
		{"no source", "credentials", func(_ *testing.T, p *patient) { p.Credentials.Source = "" }, bad, "credentials.source"},
		{"open salt", "credentials", func(t *testing.T, p *patient) {
			if err := os.Chmod(p.Credentials.Derive.SaltFile, 0o644); err != nil {
				t.Fatal(err)
			}
		}, bad, "chmod 600"},
		{"no salt", "credentials", remove("salt"), bad, "salt: /"},
		{"secret of the service", "credentials", func(_ *testing.T, p *patient) { p.Credentials.Derive.SaltFile = "/run/credentials/flashd.service/salt" }, doubt, "only the service can read"},
		{"private secrets", "secrets", nil, good, "no file"},
		{"open CSV file", "secrets", func(t *testing.T, p *patient) {
			p.Credentials.Source, p.Credentials.CSV.File = config.FromCSV, filepath.Join(p.root, "salt")
			if err := os.Chmod(p.Credentials.CSV.File, 0o640); err != nil {
				t.Fatal(err)
			}
		}, bad, "salt holds a secret"},
		{"open source of the service's secret", "secrets", func(t *testing.T, p *patient) { p.passSalt(t, 0o755, 0o644) }, bad, "(mode 0644): chmod 600 "},
		{"private source", "secrets", func(t *testing.T, p *patient) { p.passSalt(t, 0o755, 0o600) }, good, "no file"},
		{"open source in a private folder", "secrets", func(t *testing.T, p *patient) { p.passSalt(t, 0o700, 0o644) }, good, "no file"},
		{"server", "credentials", func(t *testing.T, p *patient) { p.askServer(t, http.NotFound) }, good, "answers"},
		{"server out of order", "credentials", func(t *testing.T, p *patient) {
			p.askServer(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
		}, bad, "502"},
		{"server away", "credentials", func(t *testing.T, p *patient) {
			p.askServer(t, http.NotFound)
			p.Credentials.Server.URL = "http://127.0.0.1:1"
		}, bad, "refused"},
		{"clock like the server's", "clock", func(_ *testing.T, p *patient) { p.serverTime = p.now.Add(-time.Minute) }, "", "UTC"},
		{"clock unlike the server's", "clock", func(_ *testing.T, p *patient) { p.serverTime = p.now.Add(-time.Hour) }, bad, "the config server"},
		{"clock before the record", "clock", func(t *testing.T, p *patient) {
			p.file(t, "state/jobs.db", "")
			p.now = p.now.Add(-24 * time.Hour)
		}, bad, "the record is from"},
		{"board", "boards", nil, good, "1 plugged in, 1 of them in slots"},
		{"board elsewhere", "boards", func(_ *testing.T, p *patient) { p.Slots = config.Slots{{Path: "1-1.3", Name: "left"}} }, doubt, "none of them in a slot"},
		{"board without driver", "boards", remove("sys/bus/usb/devices/1-1.2/1-1.2:1.0"), bad, "no driver"},
		{"board without node", "boards", remove("dev"), bad, "not in /dev"},
		{"no board", "boards", remove("sys/bus/usb/devices/1-1.2"), doubt, "none is plugged in"},
		{"no USB", "boards", remove("sys"), bad, "no USB"},
		{"rules", "udev rules", nil, good, "is installed"},
		{"no rules", "udev rules", remove("lib"), bad, "udevadm control --reload"},
		{"nobody else", "other programs", func(t *testing.T, p *patient) { p.file(t, "proc/1/comm", "systemd\n") }, good, "none"},
		{"ModemManager", "other programs", func(t *testing.T, p *patient) { p.file(t, "proc/77/comm", "ModemManager\n") }, good, "keeps it from"},
		{"ModemManager unruly", "other programs", func(t *testing.T, p *patient) {
			p.file(t, "proc/77/comm", "ModemManager\n")
			remove("lib")(t, p)
		}, bad, "mask --now ModemManager"},
		{"brltty", "other programs", func(t *testing.T, p *patient) { p.file(t, "proc/77/comm", "brltty\n") }, bad, "apt remove brltty"},
		{"awake", "USB autosuspend", nil, good, "off for all"},
		{"sleepy", "USB autosuspend", func(t *testing.T, p *patient) { p.board(t, "1-1.2", "ttyACM0", "auto") }, doubt, "1-1.2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPatient(t)
			if tt.ail != nil {
				tt.ail(t, p)
			}
			f := checkNamed(t, tt.check).look(t.Context(), p)
			if tt.want != "" && f.grade != tt.want || !strings.Contains(f.text+f.advice, tt.words) {
				t.Errorf("got %+v, want %s with %q", f, tt.want, tt.words)
			}
			if (f.grade == good) != (f.advice == "") {
				t.Errorf("graded %q with the advice %q", f.grade, f.advice)
			}
		})
	}
}

func checkNamed(t *testing.T, name string) check {
	t.Helper()
	for _, c := range checks {
		if c.name == name {
			return c
		}
	}
	t.Fatalf("there is no check %q", name)
	return check{}
}

func TestDoctorGradesSpace(t *testing.T) {
	for free, want := range map[uint64]grade{0: bad, noSpace - 1: bad, noSpace: doubt, littleSpace: good} {
		if f := gradeSpace(free); f.grade != want {
			t.Errorf("%d bytes: %q, want %q", free, f.grade, want)
		}
	}
}

// The verdict counts what is wrong, and shows no secret.
func TestDoctorVerdict(t *testing.T) {
	p := newPatient(t)
	dir, _ := demoRelease(t)
	p.ImagesDir, p.simulate = dir, 1
	var out strings.Builder
	if err := examine(t.Context(), &out, p); err != nil {
		t.Errorf("a healthy station: %v\n%s", err, &out)
	}
	for _, c := range checks {
		if !strings.Contains(out.String(), c.name) {
			t.Errorf("nothing is said about %s", c.name)
		}
	}
	p.ImagesDir = p.root
	if err := os.RemoveAll(filepath.Join(p.root, "lib")); err != nil {
		t.Fatal(err)
	}
	err := examine(t.Context(), &out, p)
	if err == nil || !strings.Contains(err.Error(), "2 of 15 checks") {
		t.Errorf("got %v, want 2 of 15 checks", err)
	}
	if strings.Contains(out.String(), saltOfTest) {
		t.Error("the salt is shown")
	}
}
