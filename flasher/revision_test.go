package flasher_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/flasher/espsim"
)

// The revisions are those that esptool 5.2 reads out of the simulated efuses.
var simulatedRevisions = map[string]string{
	"esp32": "v3.1", "esp32s2": "v1.0", "esp32s3": "v0.2", "esp32c2": "v1.2", "esp32c3": "v0.4", "esp32c5": "v1.0",
	"esp32c6": "v0.1", "esp32c61": "v1.1", "esp32h2": "v0.1", "esp32p4": "v1.3",
}

func identified(t *testing.T, chip *espsim.Chip) *flasher.Device {
	t.Helper()
	d, err := flasher.Connect(t.Context(), openPort(t, chip), flasher.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Identify(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestRevision(t *testing.T) {
	for _, model := range espsim.Models() {
		t.Run(model.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				chip := simulate(model, espsim.Bridge)
				defer chip.Close()
				d := identified(t, chip)
				defer d.Close()
				r, err := d.Revision(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if want := simulatedRevisions[model.Name]; r.String() != want {
					t.Errorf("revision %s, want %s", r, want)
				}
				if err := d.CheckRevision(t.Context(), uint16(r), uint16(r)); err != nil {
					t.Error(err)
				}
				if err := d.CheckRevision(t.Context(), uint16(r)+1, 0); !errors.Is(err, flasher.WrongRevision) {
					t.Errorf("an image for later revisions: %v", err)
				}
				if r == 1 {
					return // a bound of 0 is none
				}
				if err := d.CheckRevision(t.Context(), 0, uint16(r)-1); !errors.Is(err, flasher.WrongRevision) {
					t.Errorf("an image for earlier revisions: %v", err)
				}
			})
		})
	}
}
