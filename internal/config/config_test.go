package config_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/internal/config"
	"hoptech.co.nz/flashd/internal/hotplug"
	"hoptech.co.nz/flashd/internal/span"
)

const example = "../../deploy/flashd.example.yaml"

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "flashd.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t *testing.T, text string) *config.Config {
	t.Helper()
	c, err := config.Load(write(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEmptyFileIsTheDefault(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "---\n", "\ufeff# nothing\r\n", "flasher:\nslots:\n  # 1-1: left\nlog:\n  level:\n"} {
		path := write(t, text)
		got, err := config.Load(path)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		want := config.Default()
		want.StateDir = filepath.Join(filepath.Dir(path), "state")
		want.ImagesDir = filepath.Join(filepath.Dir(path), "firmware-images")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

func TestEveryKey(t *testing.T) {
	got := load(t, `
station: 7
state_dir: /srv/flashd
listen: "[::]:80"
api: {token_file: /t, cert_file: /crt, key_file: /key, names: [Board.Factory.example., "FD00::0001", 10.1.2.3]}
images_dir: /srv/images
release: 1.10
previous_release: 1.9
slots:
  1-1.10: 1
  1-1.2: left 2
  2-1: 007
usb:
  accept: [067b:2303, 0403:6001]
  max_per_hub: 4
flasher: {baud: 460800, stub: false}
boot_check:
  enabled: false
  timeout: 1m30s
credentials:
  source: csv
  server:
    url: http://config.example.com
    token_file: /a
    token_env: B
    ca_file: /c
    timeout: 500ms
    allow_plain_http: true
  derive: {salt_file: /s, salt_env: S, mqtt_host: mqtt.example.com, mqtt_port: 8883}
  csv: {file: /f}
nvs: {key_escrow_dir: /k}
retention: {keep: 2y, archive_dir: /a}
hooks:
  attach: [/bin/lamp, yellow]
  pass:
    - /bin/label
    - 007
    - ""
  fail: [/f]
  error: [/e]
  refused: [/r]
  detach: [/d]
  timeout: 3s
log: {format: json, level: debug}
max_retries: 0
`)
	want := &config.Config{
		Station: "7", StateDir: "/srv/flashd", Listen: "[::]:80", API: config.API{TokenFile: "/t", CertFile: "/crt", KeyFile: "/key", Names: config.Names{"board.factory.example", "fd00::1", "10.1.2.3"}}, ImagesDir: "/srv/images", Release: "1.10", PreviousRelease: "1.9",
		Slots:     config.Slots{{Path: "1-1.10", Name: "1"}, {Path: "1-1.2", Name: "left 2"}, {Path: "2-1", Name: "007"}},
		USB:       config.USB{Accept: config.IDs{hotplug.ID{VID: 0x067B, PID: 0x2303}, hotplug.ID{VID: 0x0403, PID: 0x6001}}, MaxPerHub: 4},
		Flasher:   config.Flasher{Baud: 460800},
		BootCheck: config.BootCheck{Timeout: 90 * time.Second},
		Credentials: config.Credentials{
			Source: config.FromCSV,
			Server: config.Server{URL: "http://config.example.com", TokenFile: "/a", TokenEnv: "B", CAFile: "/c", Timeout: 500 * time.Millisecond, AllowPlainHTTP: true},
			Derive: config.Derive{SaltFile: "/s", SaltEnv: "S", MQTTHost: "mqtt.example.com", MQTTPort: 8883},
			CSV:    config.CSV{File: "/f"},
		},
		NVS:       config.NVS{KeyEscrowDir: "/k"},
		Retention: config.Retention{Keep: config.Span{Span: span.Span{Years: 2}}, ArchiveDir: "/a"},
		Hooks: config.Hooks{
			Attach: config.Command{"/bin/lamp", "yellow"}, Pass: config.Command{"/bin/label", "007", ""},
			Fail: config.Command{"/f"}, Error: config.Command{"/e"}, Refused: config.Command{"/r"}, Detach: config.Command{"/d"},
			Timeout: 3 * time.Second,
		},
		Log: config.Log{Format: "json", Level: "debug"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPathsAreRelativeToTheFile(t *testing.T) {
	path := write(t, `
state_dir: state
images_dir: ../images
credentials:
  source: server
  server: {url: "https://config.example.com", token_file: secrets/token, ca_file: ca.pem}
  derive: {salt_file: salt}
  csv: {file: units.csv}
nvs: {key_escrow_dir: keys}
hooks: {pass: [bin/label, bin/label]}
`)
	dir := filepath.Dir(path)
	c, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{c.StateDir, c.ImagesDir, c.Credentials.Server.TokenFile, c.Credentials.Server.CAFile, c.Credentials.Derive.SaltFile, c.Credentials.CSV.File, c.NVS.KeyEscrowDir, c.Hooks.Pass[0], c.Hooks.Pass[1]}
	want := []string{dir + "/state", filepath.Dir(dir) + "/images", dir + "/secrets/token", dir + "/ca.pem", dir + "/salt", dir + "/units.csv", dir + "/keys", dir + "/bin/label", "bin/label"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestKeysBesideOthersKeepTheirDefaults(t *testing.T) {
	c := load(t, "flasher:\n  baud: 460800\nlog:\n  format: json\n")
	if !c.Flasher.Stub || c.Log.Level != "info" {
		t.Errorf("stub %v, level %q", c.Flasher.Stub, c.Log.Level)
	}
}

// Each problem is told with its place, its key and what to do.
func TestProblems(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"unknown key", "flasher:\n  bauds: 9600\n", []string{`flashd.yaml:2:3: flasher.bauds: there is no such key; did you mean flasher.baud?`}},
		{"key of another section", "baud: 9600\n", []string{`flashd.yaml:1:1: baud: there is no such key; did you mean flasher.baud?`}},
		{"key of nothing", "quux: 1\n", []string{`flashd.yaml:1:1: quux: there is no such key`}},
		{"several", "stations: a\nlog:\n  colour: red\nmax_retries: 99\n", []string{
			`flashd.yaml:1:1: stations: there is no such key; did you mean station?`,
			`flashd.yaml:3:3: log.colour: there is no such key`,
			`flashd.yaml:4:14: max_retries: 99 is out of range; want 0 to 10`,
		}},
		{"no YAML", "station: [a\n", []string{`flashd.yaml:1:10: sequence end token ']' not found`}},
		{"twice", "station: a\nstation: b\n", []string{`flashd.yaml:2:1: mapping key "station" already defined at [1:1]`}},
		{"two documents", "station: a\n---\nstation: b\n", []string{`flashd.yaml:3:1: there is more than one document in the file; remove the line with ---`}},
		{"not a mapping", "- station\n", []string{`flashd.yaml:1:1: want keys with values below this`}},
		{"section without keys", "log: text\n", []string{`flashd.yaml:1:6: log: want keys with values below this`}},
		{"number", "flasher: {baud: fast}\n", []string{`flashd.yaml:1:17: flasher.baud: want a whole number`}},
		{"fraction", "max_retries: 1.5\n", []string{`flashd.yaml:1:14: max_retries: want a whole number`}},
		{"huge number", "max_retries: 99999999999999999999\n", []string{`flashd.yaml:1:14: max_retries: want a whole number`}},
		{"reset sequence", "flasher: {reset: D1|X}\n", []string{`flashd.yaml:1:18: flasher.reset: reset sequence "D1|X": step "X": want D, R, U or W first`}},
		{"bool", "flasher:\n  stub: yes\n", []string{`flashd.yaml:2:9: flasher.stub: want true or false`}},
		{"duration without unit", "boot_check: {timeout: 15}\n", []string{`flashd.yaml:1:23: boot_check.timeout: want a duration with its unit, such as 15s or 500ms`}},
		{"span without a unit", "retention: {keep: 730}\n", []string{`flashd.yaml:1:19: retention.keep: want a number of years, months, weeks or days, such as 2y, 18mo, 26w or 90d`}},
		{"span too short", "retention: {keep: 1d}\n", []string{`flashd.yaml:1:19: retention.keep: keep 2d or more: the board shows the last day`}},
		{"duration too long", "boot_check: {timeout: 15h}\n", []string{`flashd.yaml:1:23: boot_check.timeout: 15h0m0s is out of range; want 1s to 5m0s`}},
		{"text", "station: [a]\n", []string{`flashd.yaml:1:10: station: want one line of visible text`}},
		{"text nobody sees", "station: \"a\\nb\"\nrelease: \"\\x1b[31m\"\nslots:\n  1-1: \"\\u202Ea\"\n", []string{
			`flashd.yaml:1:10: station: want one line of visible text`, `flashd.yaml:2:10: release: want one line of visible text`, `flashd.yaml:4:8: slots.1-1: want one line of visible text`,
		}},
		{"anchor", "station: &a one\nrelease: *a\n", []string{
			`flashd.yaml:1:10: anchors, aliases and tags (&, * and ! before a value) are not understood; write the value itself, in quotes if it begins so`,
			`flashd.yaml:2:10: anchors, aliases and tags (&, * and ! before a value) are not understood; write the value itself, in quotes if it begins so`,
		}},
		{"tag", "station: !!binary b25l\n", []string{
			`flashd.yaml:1:10: anchors, aliases and tags (&, * and ! before a value) are not understood; write the value itself, in quotes if it begins so`,
		}},
		{"letters swapped", "flasher: {buad: 9600}\n", []string{`flashd.yaml:1:11: flasher.buad: there is no such key; did you mean flasher.baud?`}},
		{"empty", "station: ''\nstate_dir: ''\n", []string{
			`flashd.yaml:1:10: station: give the station a name, or leave the key out for the host name`,
			`flashd.yaml:2:12: state_dir: name a folder`,
		}},
		{"listen", "listen: 9470\n", []string{`flashd.yaml:1:9: listen: want HOST:PORT, such as 127.0.0.1:9470`}},
		{"open listen", "listen: 0.0.0.0:9470\napi: {token_env: T}\n", []string{`flashd.yaml:1:9: listen: other machines may reach the board only with TLS and a token: set api.cert_file, api.key_file and api.token_file, or listen on 127.0.0.1`}},
		{"any listen", "listen: :9470\n", []string{`flashd.yaml:1:9: listen: other machines may reach the board only with TLS and a token: set api.cert_file, api.key_file and api.token_file, or listen on 127.0.0.1`}},
		{"named listen", "listen: rig.example.com:9470\napi: {cert_file: a, key_file: b}\n", []string{`flashd.yaml:1:9: listen: other machines may reach the board only with TLS and a token: set api.cert_file, api.key_file and api.token_file, or listen on 127.0.0.1`}},
		{"key alone", "api: {key_file: b}\n", []string{`flashd.yaml:1:17: api.key_file: a key without its certificate: name that in api.cert_file`}},
		{"certificate alone", "api: {cert_file: b}\n", []string{`flashd.yaml:1:18: api.cert_file: a certificate without its key: name that in api.key_file`}},
		{"two tokens", "api: {token_file: b, token_env: B}\n", []string{`flashd.yaml:1:33: api.token_env: the secret is in a file or in an environment variable; remove one of the two keys`}},
		{"listen port", "listen: localhost:94700\n", []string{`flashd.yaml:1:9: listen: want HOST:PORT, such as 127.0.0.1:9470`}},
		{"release", "release: ../1.4\n", []string{`flashd.yaml:1:10: release: want the name of a release, not a path; flashd image list shows them`}},
		{"older release", "previous_release: a/b\n", []string{`flashd.yaml:1:19: previous_release: want the name of a release, not a path; flashd image list shows them`}},
		{"older release that is the same", "release: a\nprevious_release: a\n", []string{`flashd.yaml:2:19: previous_release: it is the release to write; name the one that units hold already`}},
		{"slots", "slots: [1-1]\n", []string{`flashd.yaml:1:8: slots: want lines such as 1-1.2: left`}},
		{"slot path", "slots:\n  /dev/ttyUSB0: left\n", []string{`flashd.yaml:2:3: slots./dev/ttyUSB0: "/dev/ttyUSB0" is no USB path; write BUS-PORT.PORT, such as 1-1.2, as flashd ports shows it`}},
		{"slot name twice", "slots:\n  1-1: left\n  1-2: right\n  1-3: left\n", []string{`flashd.yaml:4:8: slots.1-3: the slot in line 2 is called "left" already`}},
		{"slot path twice", "slots:\n  1-1: left\n  1-1: right\n", []string{`flashd.yaml:3:3: mapping key "1-1" already defined at [2:3]`}},
		{"slot without name", "slots:\n  1-1:\n", []string{`flashd.yaml:2:3: slots.1-1: give the slot a name`}},
		{"USB ID", "usb:\n  accept: [303a]\n", []string{`flashd.yaml:2:11: usb.accept: USB ID "303a": write it as lsusb does, for example 303a:1001`}},
		{"name with a scheme", "api: {names: [https://line-1]}\n", []string{`flashd.yaml:1:14: api.names: "https://line-1" is no host name: write it without https:// and without a port, such as line-1.factory.example`}},
		{"name with a port", "api: {names: [line-1, 'line-1:9470']}\n", []string{`flashd.yaml:1:14: api.names: "line-1:9470" is no host name: write it without https:// and without a port, such as line-1.factory.example`}},
		{"name alone", "api: {names: line-1}\n", []string{`flashd.yaml:1:14: api.names: want a list such as [line-1.factory.example, 10.1.2.3]`}},
		{"USB IDs", "usb:\n  accept: 303a:1001\n", []string{`flashd.yaml:2:11: usb.accept: want a list such as [303a:1001, 10c4:ea60]`}},
		{"log", "log: {format: xml, level: loud}\n", []string{
			`flashd.yaml:1:15: log.format: "xml" is not known; want text or json`,
			`flashd.yaml:1:27: log.level: "loud" is not known; want debug, info, warn or error`,
		}},
		{"source", "credentials: {source: cloud}\n", []string{`flashd.yaml:1:23: credentials.source: "cloud" is not known; want server, derive or csv`}},
		{"server without anything", "credentials:\n  source: server\n", []string{
			`flashd.yaml:2:3: credentials.server.url: name the config server, such as https://config.example.com`,
			`flashd.yaml:2:3: credentials.server.token_file: name the file that holds the secret, or an environment variable in token_env`,
		}},
		{"server URL", "credentials:\n  source: server\n  server: {url: config.example.com, token_env: T}\n", []string{`flashd.yaml:3:17: credentials.server.url: want an address such as https://config.example.com`}},
		{"server over http", "credentials:\n  source: server\n  server: {url: \"http://10.0.0.1\", token_env: T}\n", []string{
			`flashd.yaml:3:17: credentials.server.url: over http everybody on the way can read the credentials; use https, or set allow_plain_http: true if you mean it`,
		}},
		{"two tokens", "credentials:\n  source: server\n  server: {url: \"https://a.example\", token_env: T, token_file: t}\n", []string{
			`flashd.yaml:3:49: credentials.server.token_env: the secret is in a file or in an environment variable; remove one of the two keys`,
		}},
		{"derive", "credentials:\n  source: derive\n  derive: {mqtt_port: 70000, mqtt_host: \"mqtt://x\"}\n", []string{
			`flashd.yaml:3:12: credentials.derive.salt_file: name the file that holds the secret, or an environment variable in salt_env`,
			`flashd.yaml:3:23: credentials.derive.mqtt_port: 70000 is out of range; want 0 to 65535`,
			`flashd.yaml:3:41: credentials.derive.mqtt_host: want a host name alone, such as mqtt.example.com`,
		}},
		{"key escrow", "nvs: {key_escrow_dir: ''}\n", []string{`flashd.yaml:1:23: nvs.key_escrow_dir: name a folder, or leave the key out to keep the keys in the units alone`}},
		{"keys with the record", "state_dir: /srv/state\nnvs: {key_escrow_dir: /srv/state/}\n", []string{
			`flashd.yaml:2:23: nvs.key_escrow_dir: keys do not belong with the record, which holds no secrets; name a folder of their own`,
		}},
		{"keys with the releases", "nvs: {key_escrow_dir: ./firmware-images}\n", []string{
			`flashd.yaml:1:23: nvs.key_escrow_dir: keys do not belong with the releases; name a folder of their own`,
		}},
		{"escrow in a wrong place", "key_escrow_dir: /keys\n", []string{`flashd.yaml:1:1: key_escrow_dir: there is no such key; did you mean nvs.key_escrow_dir?`}},
		{"csv", "credentials:\n  source: csv\n", []string{`flashd.yaml:2:3: credentials.csv.file: name the file of credentials`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := config.Load(write(t, tt.text))
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(tt.want, strings.Split(err.Error(), "\n")); diff != "" {
				t.Error(diff)
			}
			var e *config.Error
			if !errors.As(err, &e) || len(e.Problems) != len(tt.want) {
				t.Errorf("%T with %v", err, e)
			}
		})
	}
}

// A secret in the file is refused, and not repeated.
func TestSecretsAreRefusedAndNotShown(t *testing.T) {
	const secret = "hunter2hunter2"
	for _, text := range []string{
		"credentials:\n  source: server\n  server:\n    url: https://a.example\n    token: " + secret + "\n",
		"credentials:\n  source: server\n  server:\n    url: https://a.example\n    token_env: \"" + secret + "!\"\n",
		"credentials:\n  source: server\n  server:\n    url: https://me:" + secret + "@a.example\n    token_env: T\n",
		"credentials:\n  source: derive\n  derive:\n    salt: " + secret + "\n",
		"credentials:\n  source: derive\n  derive:\n    salt: [" + secret + "\n",
		"credentials:\n  token: " + secret + "\n",
		"api:\n  token: " + secret + "\n",
		"credentials: {server: {timeout: " + secret + "}}\n",
		"credentials:\n  server:\n    api_token: " + secret + "\n",
	} {
		_, err := config.Load(write(t, text))
		if err == nil {
			t.Errorf("accepted:\n%s", text)
			continue
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("shown: %v", err)
		}
	}
	_, err := config.Load(write(t, "credentials:\n  derive:\n    salt: "+secret+"\n"))
	if want := "flashd.yaml:3:5: credentials.derive.salt: secrets do not belong in this file; write it into a file of its own and name that in salt_file, or name an environment variable in salt_env"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestMissingFile(t *testing.T) {
	_, err := config.Load(filepath.Join(t.TempDir(), "none.yaml"))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
}

func TestSlotName(t *testing.T) {
	var none config.Slots
	if name, ok := none.Name("1-1.2"); name != "1-1.2" || !ok {
		t.Errorf("without slots: %q, %v", name, ok)
	}
	slots := config.Slots{{Path: "1-1.2", Name: "left"}}
	if name, ok := slots.Name("1-1.2"); name != "left" || !ok {
		t.Errorf("listed: %q, %v", name, ok)
	}
	if name, ok := slots.Name("1-12"); ok {
		t.Errorf("not listed: %q", name)
	}
}

// The example loads, and says the defaults where it says that it does.
func TestExample(t *testing.T) {
	got, err := config.Load(example)
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	want.Station, want.StateDir, want.ImagesDir = "line-1", "/var/lib/flashd", "/var/lib/flashd/firmware-images"
	want.Credentials.Source = config.FromServer
	want.Credentials.Server.URL = "https://config.example.com"
	want.Credentials.Server.TokenFile = "/run/credentials/flashd.service/token"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What the example has commented out is right too.
func TestExampleUncommented(t *testing.T) {
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for line := range strings.Lines(string(text)) {
		body := strings.TrimLeft(line, " ")
		indent := line[:len(line)-len(body)]
		if c, ok := strings.CutPrefix(body, "# "); ok && looksLikeKey(c) {
			line = indent + c
		}
		if strings.Contains(line, "accept: []") || strings.Contains(line, "token_env:") || strings.Contains(line, "salt_env:") {
			continue // the other one of two
		}
		out = append(out, line)
	}
	c := load(t, strings.Join(out, ""))
	want := config.Slots{{"1-1.1", "left-1"}, {"1-1.2", "left-2"}, {"1-1.3", "right-1"}, {"1-1.4", "right-2"}}
	if diff := cmp.Diff(want, c.Slots); diff != "" {
		t.Error(diff)
	}
	if c.Release == "" || c.PreviousRelease == "" || c.Credentials.Server.CAFile == "" || c.Credentials.Derive.SaltFile == "" || c.Credentials.Derive.MQTTPort == 0 || c.Credentials.CSV.File == "" || c.NVS.KeyEscrowDir == "" || len(c.USB.Accept) != 1 {
		t.Errorf("not all there: %+v", c)
	}
}

// looksLikeKey tells a commented key from a sentence.
func looksLikeKey(s string) bool {
	key, value, ok := strings.Cut(strings.TrimSpace(s), ":")
	return ok && key == strings.ToLower(key) && !strings.Contains(key, " ") && (value == "" || strings.HasPrefix(value, " ") && strings.Count(value, " ") == 1)
}

// FuzzLoad: whatever the file says, there is a configuration or an *Error.
func FuzzLoad(f *testing.F) {
	text, err := os.ReadFile(example)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Add("slots:\n  1-1: [a]\n  ? {a: b}\n  : c\n")
	f.Add("flasher: &a {baud: 1}\nlog: *a\n<<: *a\n")
	f.Add("usb: {accept: [{}, [], !!str 1, null]}\n")
	path := filepath.Join(f.TempDir(), "flashd.yaml")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(path)
		var e *config.Error
		if (c == nil) == (err == nil) || err != nil && (!errors.As(err, &e) || len(e.Problems) == 0) {
			t.Errorf("%v, %v", c, err)
		}
	})
}
