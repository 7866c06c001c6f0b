package firmware_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/internal/firmware"
	"hoptech.co.nz/flashd/nvsgen"
)

var unit = firmware.Values{
	"device_id": "A1B2C3D4E5F6",
	"mqtt_user": "gw-a1b2c3d4e5f6",
	"mqtt_pass": `p"a,s#s${mqtt_user}` + "\nw",
	"mqtt_host": "broker.example.com",
	"mqtt_port": "8883",
}

// imported returns a release with that NVS template.
func imported(t *testing.T, template string) *firmware.Release {
	t.Helper()
	files := pioFolder(t, "esp32s3")
	files["nvs.csv"] = []byte(template)
	r, err := firmware.Import(t.TempDir(), "x", folder(t, files), firmware.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func nvsEntries(t *testing.T, r *firmware.Release, v firmware.Values) map[string]nvsgen.Value {
	t.Helper()
	own, err := r.Personal(v)
	if err != nil {
		t.Fatal(err)
	}
	if len(own.NVS) != r.NVS.Size || own.Keys != nil {
		t.Fatalf("%d bytes and %d of keys, want %d and none", len(own.NVS), len(own.Keys), r.NVS.Size)
	}
	p, err := nvsgen.Parse(own.NVS)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]nvsgen.Value{}
	for _, e := range p.Entries {
		got[e.Namespace+"/"+e.Key] = e.Value
	}
	return got
}

func TestPersonal(t *testing.T) {
	_, r := demo(t, "esp32s3")
	want := map[string]nvsgen.Value{
		"gateway/mqtt_user":   nvsgen.Text(unit["mqtt_user"]),
		"gateway/mqtt_pass":   nvsgen.Text(unit["mqtt_pass"]), // a value is never taken for CSV or for a placeholder
		"gateway/provisioned": nvsgen.Uint8(1),
	}
	if diff := cmp.Diff(want, nvsEntries(t, r, unit)); diff != "" {
		t.Error(diff)
	}
	if uses := r.Uses(); !slices.Equal(uses, []string{"mqtt_user", "mqtt_pass"}) {
		t.Errorf("uses %v", uses)
	}
}

// Spreadsheets write a byte order mark.
func TestTemplateWithByteOrderMark(t *testing.T) {
	if r := imported(t, "\ufeff"+goodTemplate); len(r.Uses()) == 0 {
		t.Error("nothing of the template is taken")
	}
}

func TestPersonalOfOwnTemplate(t *testing.T) {
	r := imported(t, goodTemplate+"url,data,string,mqtts://${mqtt_host}:${mqtt_port}/${device_id}\nport,data,u16,${mqtt_port}\n"+
		"wifi,namespace,,\nssid,data,string,$office$\n")
	want := map[string]nvsgen.Value{
		"gateway/mqtt_user":   nvsgen.Text(unit["mqtt_user"]),
		"gateway/mqtt_pass":   nvsgen.Text(unit["mqtt_pass"]),
		"gateway/provisioned": nvsgen.Uint8(1),
		"gateway/url":         nvsgen.Text("mqtts://broker.example.com:8883/A1B2C3D4E5F6"),
		"gateway/port":        nvsgen.Uint16(8883),
		"wifi/ssid":           nvsgen.Text("$office$"),
	}
	if diff := cmp.Diff(want, nvsEntries(t, r, unit)); diff != "" {
		t.Error(diff)
	}
	if uses := r.Uses(); !slices.Equal(uses, firmware.Placeholders) {
		t.Errorf("uses %v", uses)
	}
}

// Errors about one unit say what is wrong without saying a secret.
func TestPersonalErrors(t *testing.T) {
	r := imported(t, goodTemplate+"port,data,u16,${mqtt_port}\nid,data,hex2bin,${device_id}\n")
	tests := []struct {
		name, placeholder, value, want string
	}{
		{"no value", "mqtt_pass", "", "row 4, key mqtt_pass: there is no value for ${mqtt_pass}"},
		{"too long", "mqtt_pass", strings.Repeat("hush-hush", 500), "row 4, key mqtt_pass"},
		{"NUL", "mqtt_pass", "hush-hush\x00", "key mqtt_pass"},
		{"not a number", "mqtt_port", "hush-hush", "key port"},
		{"number too large", "mqtt_port", "70000", "key port"},
		{"not hex", "device_id", "hush-hush", "key id"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := firmware.Values{"device_id": "A1B2C3D4E5F6", "mqtt_user": "user", "mqtt_pass": "hush-hush", "mqtt_port": "8883"}
			v[tt.placeholder] = tt.value
			_, err := r.Personal(v)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v, want %q", err, tt.want)
			}
			for _, secret := range []string{"hush", "70000"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("error %q tells a value", err)
				}
			}
		})
	}
}

// What is wrong with a template is said when the release is made or loaded,
// not at the first unit.
func TestTemplateRefused(t *testing.T) {
	row := func(r string) string { return goodTemplate + r + "\n" }
	tests := []struct {
		name, template, want string
	}{
		{"empty", "", "empty"},
		{"unknown placeholder", row("x,data,string,${mqtt_pasword}"), "row 6, key x: no placeholder is called ${mqtt_pasword}: there are ${device_id}, ${mqtt_user}, ${mqtt_pass}, ${mqtt_host}, ${mqtt_port}"},
		{"open placeholder", row("x,data,string,${mqtt_pass"), "row 6, key x: a placeholder is not well formed"},
		{"secret after a brace", row("x,data,string,a${hush hush}"), "a placeholder is not well formed"},
		{"placeholder as key", row("${device_id},data,u8,1"), "value column only"},
		{"placeholder as namespace", row("${device_id},namespace,,\nx,data,u8,1"), "value column only"},
		{"number does not fit", row("x,data,u8,${mqtt_port}"), "row 6, key x"},
		{"not a number", row("x,data,u16,${device_id}"), "row 6, key x"},
		{"too much", row("x,data,blob_fill(30000;0xFF),"), "it makes no NVS partition of 20480 bytes"},
		{"file", row("x,file,string,/etc/passwd"), "row 6, key x: rows of type file are not allowed"},
		{"no user", strings.Replace(goodTemplate, "mqtt_user,", "user,", 1), "does not set gateway/mqtt_user: add a row mqtt_user,data,string,${mqtt_user}"},
		{"no password", strings.Replace(goodTemplate, "mqtt_pass,", "pass,", 1), "does not set gateway/mqtt_pass"},
		{"password as blob", strings.Replace(goodTemplate, "mqtt_pass,data,string", "mqtt_pass,data,binary", 1), "does not set gateway/mqtt_pass"},
		{"one password for all", strings.Replace(goodTemplate, "${mqtt_pass}", "hush", 1), "every unit the same gateway/mqtt_pass"},
		{"one user for all", strings.Replace(goodTemplate, "${mqtt_user}", "gateway", 1), "every unit the same gateway/mqtt_user"},
		{"not provisioned", strings.Replace(goodTemplate, "u8,1", "u8,0", 1), "does not set gateway/provisioned to 1"},
		{"provisioned as text", strings.Replace(goodTemplate, "u8,1", "string,1", 1), "does not set gateway/provisioned to 1"},
		{"another namespace", strings.Replace(goodTemplate, "gateway,", "settings,", 1), "does not set gateway/mqtt_user"},
		{"key twice", row("mqtt_user,data,string,${mqtt_user}"), "mqtt_user"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files := pioFolder(t, "esp32s3")
			files["nvs.csv"] = []byte(tt.template)
			wantError(t, files, firmware.ImportOptions{}, "nvs.csv", tt.want)
		})
	}
}

func TestTemplateChosen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "line-2.csv")
	if err := os.WriteFile(path, []byte(goodTemplate+"line,data,u8,2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	files := pioFolder(t, "esp32s3")
	files["nvs.csv"] = []byte(goodTemplate + "line,data,u8,1\n")
	r, err := firmware.Import(t.TempDir(), "x", folder(t, files), firmware.ImportOptions{Template: path})
	if err != nil {
		t.Fatal(err)
	}
	if got := nvsEntries(t, r, unit)["gateway/line"]; got != nvsgen.Uint8(2) {
		t.Errorf("line %v, want that of the template that was named", got)
	}
	wantError(t, files, firmware.ImportOptions{Template: path + ".gone"}, "no such file")
}
