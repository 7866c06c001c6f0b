package simrig

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"hoptech.co.nz/flashd/flasher/espsim"
	"hoptech.co.nz/flashd/internal/credentials"
	"hoptech.co.nz/flashd/internal/firmware"
	"hoptech.co.nz/flashd/internal/station"
	"hoptech.co.nz/flashd/jobs"
)

// Units that have passed and are put in again are refused and leave, and count among
// those that are wanted only once.
func TestUnitsComeBack(t *testing.T) {
	release, err := firmware.Demo(t.TempDir(), "demo", "esp32s3")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) { testUnitsComeBack(t, dir, release) })
}

func testUnitsComeBack(t *testing.T, dir string, release *firmware.Release) {
	const wanted = 6
	store, err := jobs.Open(filepath.Join(dir, "jobs.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close() //nolint:errcheck // read only by now
	model, _ := espsim.ModelNamed(release.Chip)
	rig, err := New(Config{
		Slots: 2, Dir: filepath.Join(dir, "units"), Model: model, Wiring: espsim.USBSerialJTAG, Flash: release.FlashSize,
		Units: wanted, Hands: time.Second, Again: 2, Seed: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer rig.Close()
	source, err := credentials.NewDerive(credentials.DeriveConfig{Salt: "a salt for tests that is long enough, surely", Host: "mqtt.example", Port: 8883})
	if err != nil {
		t.Fatal(err)
	}
	board, err := station.New(station.Config{
		Name: "jig-3", Version: "v0", Store: store, Release: release, Source: source, Open: rig.Open, ResetPort: rig.ResetPort, Slots: rig.Slots(), Simulated: true,
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	done := make(chan error, 2)
	go func() { done <- board.Run(ctx, rig.Events()) }()
	go func() { done <- rig.Run(ctx, board) }()
	<-ctx.Done()
	cancel()
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}

	units, back := 0, 0
	for u, err := range store.Units() {
		if err != nil {
			t.Fatal(err)
		}
		units++
		back += u.Refused
		if !u.Passed || u.Attempts != 1 || u.Refused > 1 {
			t.Errorf("unit %s: passed %t, %d attempts, refused %d times, want one pass, and refused once at most", u.ID, u.Passed, u.Attempts, u.Refused)
		}
	}
	if units != wanted || back == 0 || back == units {
		t.Errorf("%d of %d units were put in again, want some of %d", back, units, wanted)
	}
}
