package credentials_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/internal/credentials"
)

func TestCSV(t *testing.T) {
	path := writeFile(t, "\ufeffmqtt_password,device_id,mqtt_user,mqtt_port,mqtt_host\r\n"+
		passwordA+","+unitA+","+unitA+",8883,mqtt.example.com\r\n"+
		`"s3cret-one, ""quoted""",`+unitB+","+unitB+",,\r\n", 0o400)
	s := must(credentials.NewCSV(path))(t)
	if s.Name() != "csv" {
		t.Errorf("name %q", s.Name())
	}
	if diff := cmp.Diff(wantA, must(s.Fetch(t.Context(), unitA))(t)); diff != "" {
		t.Errorf("unit A (-want +got):\n%s", diff)
	}
	wantB := credentials.Credentials{DeviceID: unitB, MQTTUser: unitB, MQTTPassword: `s3cret-one, "quoted"`}
	if diff := cmp.Diff(wantB, must(s.Fetch(t.Context(), unitB))(t)); diff != "" {
		t.Errorf("unit B (-want +got):\n%s", diff)
	}
	_, err := s.Fetch(t.Context(), "000000000000")
	wantError(t, err, "000000000000", path)
	if !errors.Is(err, credentials.ErrUnknownUnit) {
		t.Errorf("%v, want ErrUnknownUnit", err)
	}
	if _, err := s.Fetch(t.Context(), "x"); err == nil || errors.Is(err, credentials.ErrUnknownUnit) {
		t.Errorf("device ID x: %v, want an error about its form", err)
	}
}

func TestNewCSVRefuses(t *testing.T) {
	const header = "device_id,mqtt_user,mqtt_password,mqtt_host,mqtt_port\n"
	row := func(id, user, password, host, port string) string {
		return strings.Join([]string{id, user, password, host, port}, ",") + "\n"
	}
	good := row(unitB, unitB, "s3cret-two", "", "")
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"empty", "", []string{"is empty", "device_id,mqtt_user"}},
		{"no header", row(unitA, unitA, "s3cret-one", "", ""), []string{"line 1", "no column device_id"}},
		{"column missing", "device_id,mqtt_user\n", []string{"no column mqtt_password"}},
		{"unknown column", "device_id,mqtt_user,mqtt_password,s3cret-one\n", []string{"column 4 is none of"}},
		{"column twice", "device_id,mqtt_user,mqtt_password,mqtt_user\n", []string{"columns 2 and 4 are both mqtt_user"}},
		{"unit twice", header + good + row(unitA, unitA, "s3cret-one", "", "") + good, []string{"lines 2 and 4", unitB}},
		{"device ID", header + good + row("s3cret-one", unitA, "x", "", ""), []string{"line 3", "12 upper-case hex"}},
		{"user of another unit", header + row(unitA, unitB, "s3cret-one", "", ""), []string{"line 2", "mqtt_user is not the device ID"}},
		{"no password", header + row(unitA, unitA, "", "", ""), []string{"line 2", "mqtt_password is empty"}},
		{"password with NUL", header + row(unitA, unitA, "s3cret-one\x00", "", ""), []string{"line 2", "mqtt_password"}},
		{"long password", header + row(unitA, unitA, strings.Repeat("s3cret-one", 200), "", ""), []string{"line 2", "longer than 1024"}},
		{"host", header + row(unitA, unitA, "x", "s3cret-one@host", ""), []string{"line 2", "mqtt_host"}},
		{"port", header + row(unitA, unitA, "x", "", "s3cret-one"), []string{"line 2", "mqtt_port"}},
		{"port 0", header + row(unitA, unitA, "x", "", "0"), []string{"line 2", "mqtt_port"}},
		{"short row", header + unitA + ",s3cret-one\n", []string{"line 2", "number of fields"}},
		{"open quote", header + unitA + "," + unitA + `,"s3cret-one` + "\n", []string{"line 2"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := credentials.NewCSV(writeFile(t, tt.text, 0o600))
			wantError(t, err, tt.want...)
		})
	}
	_, err := credentials.NewCSV(t.TempDir())
	wantError(t, err, "not a file")
	_, err = credentials.NewCSV(writeFile(t, header+good, 0o640))
	wantError(t, err, "mode 0640", "chmod 600")
}

func TestReadSecretFile(t *testing.T) {
	for text, want := range map[string]string{"s3cret-one": "s3cret-one", "s3cret-one\n": "s3cret-one", "s3cret-one\r\n": "s3cret-one", " a\n\n": " a\n"} {
		s, err := credentials.ReadSecretFile(writeFile(t, text, 0o600))
		if err != nil || s.Reveal() != want {
			t.Errorf("%q: %q, %v; want %q", text, s.Reveal(), err, want)
		}
	}
	for _, mode := range []os.FileMode{0o604, 0o640, 0o644, 0o660, 0o777} {
		_, err := credentials.ReadSecretFile(writeFile(t, "s3cret-one", mode))
		wantError(t, err, "chmod 600")
	}
	_, err := credentials.ReadSecretFile(writeFile(t, "\n", 0o600))
	wantError(t, err, "is empty")
	_, err = credentials.ReadSecretFile(writeFile(t, strings.Repeat("s3cret-one", 10_000), 0o600))
	wantError(t, err, "larger than 65536")
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = credentials.ReadSecretFile(pipe) // and nobody writes into it
	wantError(t, err, "is not a file")
	_, err = credentials.ReadSecretFile("/does/not/exist")
	wantError(t, err, "/does/not/exist")
}

// systemd lets the service's user in by an ACL, which looks like mode 0440.
func TestReadSecretFileFromSystemd(t *testing.T) {
	path := writeFile(t, "s3cret-one\n", 0o440)
	if _, err := credentials.ReadSecretFile(path); err == nil {
		t.Error("a file for its group was read")
	}
	t.Setenv("CREDENTIALS_DIRECTORY", strings.TrimSuffix(path, "/secret"))
	if s := must(credentials.ReadSecretFile(path))(t); s.Reveal() != "s3cret-one" {
		t.Error("another secret was read")
	}
	if _, err := credentials.ReadSecretFile(writeFile(t, "s3cret-one", 0o440)); err == nil {
		t.Error("a file beside systemd's directory was read")
	}
}

func TestSecretFromEnv(t *testing.T) {
	t.Setenv("FLASHD_TEST_SECRET", "s3cret-one")
	if s := must(credentials.SecretFromEnv("FLASHD_TEST_SECRET"))(t); s.Reveal() != "s3cret-one" {
		t.Error("another secret was taken")
	}
	t.Setenv("FLASHD_TEST_SECRET", "")
	_, err := credentials.SecretFromEnv("FLASHD_TEST_SECRET")
	wantError(t, err, "FLASHD_TEST_SECRET")
}
