package libusb_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"hoptech.co.nz/flashd/internal/hotplug"
	"hoptech.co.nz/flashd/internal/hotplug/libusb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Whatever this machine has, libusb and sysfs agree about it.
func TestListAgreesWithSysfs(t *testing.T) {
	sysfs := &hotplug.Sysfs{Accept: func(hotplug.ID) bool { return true }}
	want, wantErr := sysfs.List(t.Context())
	for range 3 { // each with a fresh context
		got, err := libusb.New(sysfs).List(t.Context())
		if errors.Is(err, hotplug.ErrNoUSB) != errors.Is(wantErr, hotplug.ErrNoUSB) {
			t.Fatalf("libusb: %v; sysfs: %v", err, wantErr)
		}
		byPath := cmpopts.SortSlices(func(a, b hotplug.Device) bool { return a.Path < b.Path })
		if diff := cmp.Diff(want, got, byPath, cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	}
}

func TestResetOfNothing(t *testing.T) {
	err := libusb.Reset("250-1.2")
	if !errors.Is(err, libusb.ErrNotFound) && !errors.Is(err, hotplug.ErrNoUSB) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}
