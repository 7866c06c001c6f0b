package firmware_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/internal/firmware"
	"hoptech.co.nz/flashd/nvsgen"
)

// renewable has a key of every sort.
const renewable = `key,type,encoding,value
gateway,namespace,,
mqtt_user,data,string,${mqtt_user}
mqtt_pass,data,string,${mqtt_pass}
mqtt_port,data,u16,${mqtt_port}
hostname,data,string,gw-${device_id}
provisioned,data,u8,1
region,data,string,nz
wifi,namespace,,
channel,data,u8,6
`

const unitID = "A1B2C3D4E5F6"

// fresh are new credentials for a unit that had others.
var fresh = firmware.Values{"device_id": unitID, "mqtt_user": unitID, "mqtt_pass": "fresh password", "mqtt_port": "1883"}

// heldBy returns what a unit holds that has changed some keys.
func heldBy(t *testing.T, r *firmware.Release, use ...nvsgen.Entry) *firmware.Held {
	t.Helper()
	own, err := r.Personal(firmware.Values{"device_id": unitID, "mqtt_user": unitID, "mqtt_pass": "first password", "mqtt_port": "8883"})
	if err != nil {
		t.Fatal(err)
	}
	p, err := nvsgen.Parse(own.NVS)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range use {
		if e.Value == nil {
			p.Remove(e.Namespace, e.Key)
			continue
		}
		if err := p.Set(e); err != nil {
			t.Fatal(err)
		}
	}
	image, err := p.Image()
	if err != nil {
		t.Fatal(err)
	}
	h, err := r.ReadHeld(image, nil)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestRenew(t *testing.T) {
	r := imported(t, renewable)
	customer := []nvsgen.Entry{
		nvsgen.String("gateway", "region", "au"), nvsgen.String("gateway", "hostname", "kitchen"), nvsgen.U8("wifi", "channel", 11), nvsgen.String("wifi", "ssid", "home"),
	}
	kept := map[string]nvsgen.Value{
		"gateway/mqtt_user": nvsgen.Text(unitID), "gateway/mqtt_pass": nvsgen.Text("first password"), "gateway/mqtt_port": nvsgen.Uint16(8883),
		"gateway/hostname": nvsgen.Text("kitchen"), "gateway/provisioned": nvsgen.Uint8(1), "gateway/region": nvsgen.Text("au"),
		"wifi/channel": nvsgen.Uint8(11), "wifi/ssid": nvsgen.Text("home"),
	}
	credentials := map[string]nvsgen.Value{"gateway/mqtt_pass": nvsgen.Text("fresh password"), "gateway/mqtt_port": nvsgen.Uint16(1883)}
	template := map[string]nvsgen.Value{
		"gateway/mqtt_pass": nvsgen.Text("fresh password"), "gateway/mqtt_port": nvsgen.Uint16(1883), "gateway/hostname": nvsgen.Text("gw-" + unitID),
		"gateway/region": nvsgen.Text("nz"), "wifi/channel": nvsgen.Uint8(6),
	}
	for name, tc := range map[string]struct {
		use     []nvsgen.Entry // beside what the customer did
		renewal firmware.Renewal
		needs   bool
		changes map[string]nvsgen.Value // against kept
	}{
		"renew":                      {nil, firmware.Renewal{}, true, template},
		"keep all":                   {nil, firmware.Renewal{KeepAll: true}, false, nil},
		"keep all, new credentials":  {nil, firmware.Renewal{KeepAll: true, NewCredentials: true}, true, credentials},
		"keep all, a password gone":  {[]nvsgen.Entry{{Namespace: "gateway", Key: "mqtt_pass"}}, firmware.Renewal{KeepAll: true}, true, credentials},
		"keep all, a host name gone": {[]nvsgen.Entry{{Namespace: "gateway", Key: "hostname"}}, firmware.Renewal{KeepAll: true}, false, map[string]nvsgen.Value{"gateway/hostname": nvsgen.Text("gw-" + unitID)}},
		"keep all, another's":        {[]nvsgen.Entry{nvsgen.String("gateway", "mqtt_user", "A1B2C3D4E5F7")}, firmware.Renewal{KeepAll: true}, true, credentials},
		"keep all, a blob for a name": {
			[]nvsgen.Entry{nvsgen.Blob("gateway", "mqtt_user", []byte(unitID))}, firmware.Renewal{KeepAll: true}, true, credentials,
		},
		"keep all, an empty password": {[]nvsgen.Entry{nvsgen.String("gateway", "mqtt_pass", "")}, firmware.Renewal{KeepAll: true}, true, credentials},
		"keep all, a number for a password": {
			[]nvsgen.Entry{nvsgen.U32("gateway", "mqtt_pass", 0)}, firmware.Renewal{KeepAll: true}, true, credentials,
		},
		"settings": {nil, firmware.Renewal{KeepAll: true, Set: []firmware.Setting{
			{Key: "region", Value: "eu"},
			{Namespace: "wifi", Key: "channel", Value: "1"},
			{Key: "mqtt_port", Value: "99"},
			{Namespace: "new", Key: "blob", Encoding: "base64", Value: "AAEC"},
			{Key: "plain", Value: "42"},
		}}, false, map[string]nvsgen.Value{
			"gateway/region": nvsgen.Text("eu"), "wifi/channel": nvsgen.Uint8(1), "gateway/mqtt_port": nvsgen.Uint16(99),
			"new/blob": nvsgen.Bytes{0, 1, 2}, "gateway/plain": nvsgen.Text("42"),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h := heldBy(t, r, append(slices.Clone(customer), tc.use...)...)
			values := firmware.Values{"device_id": unitID}
			if needs := h.Needs(unitID, tc.renewal); needs != tc.needs {
				t.Errorf("it needs credentials: %t, want %t", needs, tc.needs)
			} else if needs {
				values = fresh
			}
			got, err := h.Renew(values, tc.renewal)
			if err != nil {
				t.Fatal(err)
			}
			p, err := nvsgen.Parse(got.NVS)
			if err != nil {
				t.Fatal(err)
			}
			want, has := maps.Clone(kept), map[string]nvsgen.Value{}
			maps.Copy(want, tc.changes)
			for _, e := range p.Entries {
				has[e.Namespace+"/"+e.Key] = e.Value
			}
			if diff := cmp.Diff(want, has); diff != "" {
				t.Errorf("NVS (-want +got):\n%s", diff)
			}
			if got.Kept+len(got.Changed) != len(has) {
				t.Errorf("%d kept and %v changed, of %d keys", got.Kept, got.Changed, len(has))
			}
			if !p.Untouched || !got.Safe {
				t.Errorf("untouched %t, safe %t", p.Untouched, got.Safe)
			}
		})
	}
}

// Nothing but what the source says may be taken for credentials.
func TestRenewWithoutCredentials(t *testing.T) {
	r := imported(t, renewable)
	h := heldBy(t, r)
	if _, err := h.Renew(firmware.Values{"device_id": unitID}, firmware.Renewal{}); err == nil || !strings.Contains(err.Error(), "no credentials for gateway/mqtt_user") {
		t.Errorf("renewed without credentials: %v", err)
	}
	if _, err := h.Renew(firmware.Values{"device_id": unitID, "mqtt_pass": "x"}, firmware.Renewal{}); err == nil || !strings.Contains(err.Error(), "${mqtt_user}") {
		t.Errorf("renewed with half of them: %v", err)
	}
}

func TestCheckSettings(t *testing.T) {
	r := imported(t, renewable)
	for _, tc := range []struct {
		setting firmware.Setting
		want    string // what the error says; "" for none
	}{
		{firmware.Setting{Key: "region", Value: "eu"}, ""},
		{firmware.Setting{Key: "mqtt_port", Value: "1"}, ""},
		{firmware.Setting{Namespace: "wifi", Key: "channel", Encoding: "u8", Value: "11"}, ""},
		{firmware.Setting{Key: "unknown", Value: "the unit will tell"}, ""},
		{firmware.Setting{Key: "mqtt_user", Value: "x"}, "come from their source only"},
		{firmware.Setting{Namespace: "gateway", Key: "mqtt_pass", Value: "x"}, "come from their source only"},
		{firmware.Setting{Key: "provisioned", Value: "0"}, "always set"},
		{firmware.Setting{Key: "mqtt_port", Value: "hunter2"}, "not a decimal integer"},
		{firmware.Setting{Namespace: "wifi", Key: "channel", Value: "256"}, "u8 holds 0 to 255"},
		{firmware.Setting{Namespace: "wifi", Key: "channel", Encoding: "u16", Value: "11"}, "of type u8"},
		{firmware.Setting{Key: "unknown", Encoding: "hex2bin", Value: "0"}, "hexadecimal digits"},
	} {
		err := r.CheckSettings([]firmware.Setting{tc.setting})
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: error %v, want %q", tc.setting, err, tc.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error holds the value", tc.setting.Key)
		}
	}
}

// Settings that were allowed under another release are checked again.
func TestRenewChecksSettings(t *testing.T) {
	r := imported(t, renewable)
	for key, value := range map[string]string{"mqtt_user": "A1B2C3D4E5F7", "provisioned": "0"} {
		_, err := heldBy(t, r).Renew(fresh, firmware.Renewal{Set: []firmware.Setting{{Key: key, Value: value}}})
		if !errors.Is(err, firmware.ErrUnfit) {
			t.Errorf("%s was set: %v", key, err)
		}
	}
}

func TestReadHeld(t *testing.T) {
	r := imported(t, renewable)
	blank := make([]byte, r.NVS.Size)
	for i := range blank {
		blank[i] = 0xFF
	}
	garbage := slices.Repeat([]byte{0x5A}, r.NVS.Size)
	for want, nvs := range map[string][]byte{"blank": blank, "no key": garbage, "no multiple": blank[:100]} {
		if len(nvs) == 100 {
			nvs = garbage[:100]
		}
		if h, err := r.ReadHeld(nvs, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("held %v, error %v, want %q", h, err, want)
		}
	}
	h := heldBy(t, r, nvsgen.Blob("log", "fill", make([]byte, 14_000)))
	_, err := h.Renew(fresh, firmware.Renewal{Set: []firmware.Setting{{Key: "more", Value: strings.Repeat("x", 1000)}, {Key: "evenmore", Value: strings.Repeat("x", 1000)}}})
	if !errors.Is(err, firmware.ErrUnfit) || !errors.Is(err, nvsgen.ErrFull) {
		t.Errorf("too much: %v", err)
	}
}
