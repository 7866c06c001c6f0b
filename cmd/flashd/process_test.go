package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"hoptech.co.nz/flashd/internal/credentials"
	"hoptech.co.nz/flashd/internal/firmware"
	"hoptech.co.nz/flashd/jobs"
	"hoptech.co.nz/flashd/nvsgen"
)

// flashdProcess is flashd in a process of its own, in dir.
func flashdProcess(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), asFlashd+"=1")
	return cmd
}

// runFlashd runs flashd to its end and returns what it printed.
func runFlashd(t *testing.T, dir string, wantCode int, args ...string) (stdout, stderr string) {
	t.Helper()
	cmd := flashdProcess(t, dir, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	code := 0
	if failed := new(exec.ExitError); errors.As(err, &failed) {
		code = failed.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	if code != wantCode {
		t.Fatalf("flashd %v: exit code %d, want %d\n%s%s", args, code, wantCode, &out, &errs)
	}
	return out.String(), errs.String()
}

// demoReleases is a folder with the demo release, made once for all tests.
var demoReleases = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "flashd-releases")
	if err != nil {
		return "", err
	}
	_, err = firmware.Demo(dir, "demo", "esp32s3")
	return dir, err
})

func demoRelease(t *testing.T) (dir string, r *firmware.Release) {
	t.Helper()
	dir, err := demoReleases()
	if err != nil {
		t.Fatal(err)
	}
	if r, err = firmware.Load(dir, "demo"); err != nil {
		t.Fatal(err)
	}
	return dir, r
}

// openStoreOf opens the record of a state directory and checks all of it.
func openStoreOf(t *testing.T, stateDir string) *jobs.Store {
	t.Helper()
	store, err := jobs.Open(storePath(stateDir))
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Check(); err != nil {
		t.Fatal(err)
	}
	return store
}

// passWord derives a unit's password from salt.
func passWord(t *testing.T, salt credentials.Secret, unit string) string {
	t.Helper()
	source, err := credentials.NewDerive(credentials.DeriveConfig{Salt: salt})
	if err != nil {
		t.Fatal(err)
	}
	c, err := source.Fetch(t.Context(), unit)
	if err != nil {
		t.Fatal(err)
	}
	return c.MQTTPassword.Reveal()
}

// checkFlash checks that a flash holds the release and the unit's credentials.
func checkFlash(t *testing.T, flash []byte, r *firmware.Release, unit, password string) {
	t.Helper()
	for _, s := range r.Segments {
		if !bytes.Equal(flash[s.Offset:int(s.Offset)+len(s.Data)], s.Data) {
			t.Errorf("unit %s: segment %s is not in its flash", unit, s.Name)
		}
	}
	p, err := parseNVS(flash, r)
	if err != nil {
		t.Errorf("unit %s: %v", unit, err)
		return
	}
	for _, want := range []nvsgen.Entry{
		nvsgen.String("gateway", "mqtt_user", unit), nvsgen.String("gateway", "mqtt_pass", password), nvsgen.U8("gateway", "provisioned", 1),
	} {
		if got, ok := p.Lookup(want.Namespace, want.Key); !ok || got != want.Value {
			t.Errorf("unit %s: %s/%s is not what it should be", unit, want.Namespace, want.Key)
		}
	}
}

// parseNVS reads a unit's NVS partition as its firmware would.
func parseNVS(flash []byte, r *firmware.Release) (*nvsgen.Partition, error) {
	image := flash[r.NVS.Offset : int(r.NVS.Offset)+r.NVS.Size]
	if r.NVSKeys == nil {
		return nvsgen.Parse(image)
	}
	keys, err := nvsgen.ParseKeys(flash[r.NVSKeys.Offset:])
	if err != nil {
		return nil, err
	}
	return nvsgen.ParseEncrypted(image, keys)
}

// checkSimulatedUnits checks that each unit that passed has what it should in
// its flash, and returns how many did.
func checkSimulatedUnits(t *testing.T, stateDir string, store *jobs.Store, r *firmware.Release) (passed int) {
	t.Helper()
	for u, err := range store.Units() {
		if err != nil {
			t.Fatal(err)
		}
		if !u.Passed {
			continue
		}
		passed++
		flash, err := os.ReadFile(filepath.Join(stateDir+"-simulated", u.ID+".bin"))
		if err != nil {
			t.Fatal(err)
		}
		checkFlash(t, flash, r, u.ID, passWord(t, demoSalt, u.ID))
	}
	return passed
}
