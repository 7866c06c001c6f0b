package flasher_test

import (
	"testing"

	"hoptech.co.nz/flashd/flasher"
)

func TestParseMAC(t *testing.T) {
	want := flasher.MAC{0xA1, 0xB2, 0xC3, 0xD4, 0xE5, 0xF6}
	for _, s := range []string{"A1:B2:C3:D4:E5:F6", "a1-b2-c3-d4-e5-f6", "A1B2C3D4E5F6", " a1b2c3d4e5f6\n"} {
		if got, err := flasher.ParseMAC(s); err != nil || got != want {
			t.Errorf("ParseMAC(%q) = %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "A1B2C3", "A1B2C3D4E5G6", "A1:B2:C3:D4:E5:F6:07"} {
		if got, err := flasher.ParseMAC(s); err == nil {
			t.Errorf("ParseMAC(%q) = %v, want an error", s, got)
		}
	}
	if want.DeviceID() != "A1B2C3D4E5F6" || want.String() != "A1:B2:C3:D4:E5:F6" {
		t.Errorf("written as %s and %s", want.DeviceID(), want)
	}
}

func TestMACValid(t *testing.T) {
	for mac, want := range map[flasher.MAC]bool{
		{0x34, 0x85, 0x18, 0xAB, 0xCD, 0xEF}: true,
		flasher.ExampleMAC:                   true,
		{}:                                   false,
		{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}: false,
		{0x01, 0x00, 0x5E, 0x00, 0x00, 0x01}: false,
		{0xA1, 0xB2, 0xC3, 0xD4, 0xE5, 0xF7}: false,
	} {
		if got := mac.Valid(); got != want {
			t.Errorf("%s: Valid is %v", mac, got)
		}
	}
}
