package credentials_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/internal/credentials"
)

func TestDerive(t *testing.T) {
	s := must(credentials.NewDerive(credentials.DeriveConfig{Salt: salt, Host: "mqtt.example.com", Port: 8883}))(t)
	if s.Name() != "derive" {
		t.Errorf("name %q", s.Name())
	}
	if diff := cmp.Diff(wantA, must(s.Fetch(t.Context(), unitA))(t)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if b := must(s.Fetch(t.Context(), unitB))(t); b.MQTTPassword == wantA.MQTTPassword || b.DeviceID != unitB {
		t.Error("unit B gets the credentials of unit A")
	}
	for _, id := range []string{"", "a1b2c3d4e5f6", "A1:B2:C3:D4:E5:F6", unitA + "0"} {
		if _, err := s.Fetch(t.Context(), id); err == nil {
			t.Errorf("credentials for device ID %q", id)
		}
	}
}

func TestNewDeriveRefuses(t *testing.T) {
	for name, c := range map[string]credentials.DeriveConfig{
		"no salt":    {},
		"short salt": {Salt: credentials.Secret(salt[:31])},
		// 31 characters in 62 bytes
		"short in characters": {Salt: credentials.Secret(strings.Repeat("ö", 31))},
		"host":                {Salt: salt, Host: "mqtt://broker"},
		"port":                {Salt: salt, Port: 70000},
	} {
		if _, err := credentials.NewDerive(c); err == nil {
			t.Errorf("%s: no error", name)
		} else {
			noSecret(t, err)
		}
	}
}
