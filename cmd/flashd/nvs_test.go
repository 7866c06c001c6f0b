package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hoptech.co.nz/flashd/internal/firmware"
	"hoptech.co.nz/flashd/nvsgen"
)

const factoryCSV = `key,type,encoding,value
gateway,namespace,,
mqtt_user,data,string,A1B2C3D4E5F6
mqtt_pass,data,string,hunter2
provisioned,data,u8,1
big,data,u64,18446744073709551615
cal,data,hex2bin,00ff
`

// nvsBench is a directory to run flashd nvs in.
type nvsBench struct {
	*testing.T
	dir string
}

func newNVSBench(t *testing.T) nvsBench { return nvsBench{t, t.TempDir()} }

func (b nvsBench) path(name string) string { return filepath.Join(b.dir, name) }

func (b nvsBench) write(name, text string) string {
	b.Helper()
	if err := os.WriteFile(b.path(name), []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	return b.path(name)
}

// run runs flashd nvs; arguments that begin with @ are files of the directory.
func (b nvsBench) run(args ...string) (stdout, stderr string, code int) {
	b.Helper()
	for i, arg := range args {
		if name, ok := strings.CutPrefix(arg, "@"); ok {
			args[i] = b.path(name)
		}
	}
	var out, errs bytes.Buffer
	app := newApp()
	app.Writer, app.ErrWriter = &out, &errs
	err := app.RunContext(b.Context(), interspersed(app, append([]string{"flashd", "nvs"}, args...)))
	code = report(&errs, err)
	return out.String(), errs.String(), code
}

// must runs flashd nvs and wants it to be done.
func (b nvsBench) must(args ...string) string {
	b.Helper()
	out, errs, code := b.run(args...)
	if code != exitDone {
		b.Fatalf("%v: exit code %d: %s", args, code, errs)
	}
	return out
}

func (b nvsBench) factory() {
	b.Helper()
	b.write("f.csv", factoryCSV)
	b.must("generate", "@f.csv", "@f.bin", "0x5000")
}

func TestNVSGenerate(t *testing.T) {
	b := newNVSBench(t)
	b.factory()
	info, err := os.Stat(b.path("f.bin"))
	if err != nil || info.Size() != 0x5000 || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v; want 20480 bytes for the owner only", info, err)
	}
	_, errs, code := b.run("generate", "@f.csv", "@small.bin", "4096")
	if code != exitDone || !strings.Contains(errs, "readonly") {
		t.Errorf("one page: exit code %d: %s", code, errs)
	}
	b.must("generate", "@f.csv", "@v1.bin", "20480", "--version", "1")
	if out := b.must("inspect", "@v1.bin"); !strings.Contains(out, "active  0         1") {
		t.Errorf("no version 1 page:\n%s", out)
	}
}

func TestNVSGenerate_refused(t *testing.T) {
	b := newNVSBench(t)
	b.write("f.csv", factoryCSV)
	b.write("dup.csv", factoryCSV+"mqtt_pass,data,string,hunter3\n")
	b.write("keys.bin", "too short")
	for _, tc := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"@f.csv", "@o.bin", "abc"}, exitUsage, `size "abc" is not a number`},
		{[]string{"@f.csv", "@o.bin", "0x5001"}, exitFailure, "multiple of 4096"},
		{[]string{"@f.csv", "@o.bin"}, exitUsage, "wants 3 arguments"},
		{[]string{"@dup.csv", "@o.bin", "0x5000"}, exitFailure, "row 8, gateway/mqtt_pass"},
		{[]string{"@none.csv", "@o.bin", "0x5000"}, exitFailure, "no such file"},
		{[]string{"@f.csv", "@o.bin", "0x5000", "--keys", "@keys.bin"}, exitFailure, "unusable keys"},
		{[]string{"@f.csv", "@o.bin", "0x5000", "--version", "3"}, exitFailure, "1 or 2"},
	} {
		_, errs, code := b.run(append([]string{"generate"}, tc.args...)...)
		if code != tc.code || !strings.Contains(errs, tc.want) || strings.Contains(errs, "hunter") {
			t.Errorf("%v: exit code %d: %s; want %d with %q", tc.args, code, errs, tc.code, tc.want)
		}
	}
	if _, err := os.Stat(b.path("o.bin")); err == nil {
		t.Error("a refused partition was written")
	}
}

func TestNVSInspect_masksSecrets(t *testing.T) {
	b := newNVSBench(t)
	b.factory()
	for _, format := range []string{"table", "json"} {
		if out := b.must("inspect", "@f.bin", "--format", format); strings.Contains(out, "hunter2") || !strings.Contains(out, "A1B2C3D4E5F6") {
			t.Errorf("%s:\n%s", format, out)
		}
		if out := b.must("inspect", "@f.bin", "--format", format, "--show-secrets"); !strings.Contains(out, "hunter2") {
			t.Errorf("%s, secrets shown:\n%s", format, out)
		}
	}
	if _, errs, code := b.run("inspect", "@f.bin", "--format", "xml"); code != exitUsage || !strings.Contains(errs, "table or json") {
		t.Errorf("exit code %d: %s", code, errs)
	}
}

func TestNVSInspect_json(t *testing.T) {
	b := newNVSBench(t)
	b.factory()
	out := b.must("inspect", "@f.bin", "--format", "json")
	var got reportJSON
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Entries) != 5 || !got.Untouched || got.Stats.Used != 10 || len(got.Pages) != 5 || len(got.Problems) != 0 {
		t.Errorf("%+v", got)
	}
	for _, want := range []string{`"value": 18446744073709551615`, `"hex": "00ff"`, `"masked": true`, `"problems": []`} {
		if !strings.Contains(out, want) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
}

func TestNVSInspect_reportsDamage(t *testing.T) {
	b := newNVSBench(t)
	b.factory()
	image, err := os.ReadFile(b.path("f.bin"))
	if err != nil {
		t.Fatal(err)
	}
	image[64+32*3+24] ^= 1 // the length of mqtt_pass
	b.write("f.bin", string(image))
	out := b.must("inspect", "@f.bin")
	if !strings.Contains(out, "problem: page 0, entry 3: the checksum of the entry is wrong") || strings.Contains(out, "mqtt_pass") {
		t.Errorf("%s", out)
	}
	if _, errs, code := b.run("inspect", "@f.csv"); code != exitFailure || !strings.Contains(errs, "multiple of 4096") {
		t.Errorf("no image: exit code %d: %s", code, errs)
	}
}

func TestNVSSet(t *testing.T) {
	b := newNVSBench(t)
	b.factory()
	b.must("generate", "@f.csv", "@old.bin", "0x5000")
	b.must("set", "@f.bin", "gateway", "offset", "i8", "-5")
	b.must("set", "@f.bin", "gateway", "provisioned", "string", "no")
	b.must("set", "--from", b.write("pw", "hunter3"), "@f.bin", "gateway", "mqtt_pass", "string")
	b.must("remove", "@f.bin", "gateway", "cal")
	out, errs, code := b.run("diff", "@old.bin", "@f.bin")
	const want = `- gateway/mqtt_pass (string) ********
+ gateway/mqtt_pass (string) ********
- gateway/provisioned (u8) 1
+ gateway/provisioned (string) "no"
- gateway/cal (blob) 00ff (2 bytes)
+ gateway/offset (i8) -5
`
	if out != want || code != exitFailure || !strings.Contains(errs, "differ in 4 keys") {
		t.Errorf("exit code %d: %s\n%s\nwant\n%s", code, errs, out, want)
	}
	b.must("diff", "@f.bin", "@f.bin")
	b.must("generate", "@f.csv", "@one.bin", "0x5000")
	b.must("set", "@one.bin", "gateway", "provisioned", "string", "no")
	if _, errs, _ := b.run("diff", "@old.bin", "@one.bin"); !strings.Contains(errs, "differ in 1 key\n") {
		t.Errorf("it says %q", errs)
	}
	for _, tc := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"set", "@f.bin", "gateway", "n", "u8", "256"}, exitUsage, "0 to 255"},
		{[]string{"set", "@f.bin", "gateway", "n", "hunter2", "string"}, exitUsage, "encoding is unknown"},
		{[]string{"set", "@f.bin", "gateway", "n", "u8"}, exitUsage, "NS KEY TYPE VALUE"},
		{[]string{"remove", "@f.bin", "gateway", "n"}, exitFailure, "no key n"},
		{[]string{"set", "@f.bin", "gateway", "sixteen-letters!", "u8", "1"}, exitFailure, "the limit is 15"},
	} {
		before, err := os.ReadFile(b.path("f.bin"))
		if err != nil {
			t.Fatal(err)
		}
		_, errs, code := b.run(slices.Clone(tc.args)...)
		if code != tc.code || !strings.Contains(errs, tc.want) || strings.Contains(errs, "hunter2") {
			t.Errorf("%v: exit code %d: %s; want %d with %q", tc.args, code, errs, tc.code, tc.want)
		}
		if after, err := os.ReadFile(b.path("f.bin")); err != nil || !bytes.Equal(before, after) {
			t.Errorf("%v: the file was changed (%v)", tc.args, err)
		}
	}
}

func TestNVSGenerateKeys(t *testing.T) {
	b := newNVSBench(t)
	b.factory()
	b.must("generate-keys", "@k.bin")
	if _, errs, code := b.run("generate-keys", "@k.bin"); code != exitFailure || !strings.Contains(errs, "exists") {
		t.Errorf("overwriting: exit code %d: %s", code, errs)
	}
	b.must("generate-keys", "@other.bin", "--new-hmac-key", "@hmac.bin")
	b.must("generate-keys", "@again.bin", "--hmac-key", "@hmac.bin")
	b.must("generate", "@f.csv", "@e.bin", "0x5000", "--keys", "@other.bin")
	for _, keys := range []string{"@other.bin", "@again.bin", "@hmac.bin"} {
		if out := b.must("inspect", "@e.bin", "--keys", keys); !strings.Contains(out, "A1B2C3D4E5F6") {
			t.Errorf("%s does not open the partition:\n%s", keys, out)
		}
	}
	b.must("set", "@e.bin", "gateway", "n", "u8", "1", "--keys", "@hmac.bin")
	b.must("set", "@f.bin", "gateway", "n", "u8", "1")
	image, err := os.ReadFile(b.path("e.bin"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(image, []byte("A1B2C3D4E5F6")) {
		t.Error("an edited partition is no longer encrypted")
	}
	if _, errs, code := b.run("inspect", "@e.bin", "--keys", "@k.bin"); code != exitFailure || !strings.Contains(errs, "wrong keys") {
		t.Errorf("other keys: exit code %d: %s", code, errs)
	}
	if _, errs, code := b.run("set", "@e.bin", "gateway", "n", "u8", "1"); code != exitFailure || !strings.Contains(errs, "open it with its keys") {
		t.Errorf("no keys: exit code %d: %s", code, errs)
	}
}

func TestNVSBatch(t *testing.T) {
	b := newNVSBench(t)
	b.write("config.csv", "gateway,namespace,\nmqtt_user,data,string\nport,data,u16,REPEAT\n")
	b.write("values.csv", "mac,mqtt_user,port\nA1,alice,1883\nA2,bob,\n")
	out := b.must("batch", "@config.csv", "@values.csv", "@out", "--size", "0x3000", "--prefix", "gw", "--fileid", "mac", "--prefix-num", "7,3", "--keygen")
	if !strings.Contains(out, "2 partitions") {
		t.Errorf("%q", out)
	}
	for name, user := range map[string]string{"gw-007-A1": "alice", "gw-008-A2": "bob"} {
		keys, err := readKeys(b.path("out/keys/keys-" + name + ".bin"))
		if err != nil {
			t.Fatal(err)
		}
		image, err := os.ReadFile(b.path("out/bin/" + name + ".bin"))
		if err != nil {
			t.Fatal(err)
		}
		p, err := nvsgen.ParseEncrypted(image, keys)
		if err != nil {
			t.Fatal(err)
		}
		gotUser, _ := p.Lookup("gateway", "mqtt_user")
		gotPort, _ := p.Lookup("gateway", "port")
		if gotUser != nvsgen.Text(user) || gotPort != nvsgen.Uint16(1883) {
			t.Errorf("%s holds %v and %v", name, gotUser, gotPort)
		}
		table := b.must("generate", "@out/csv/"+name+".csv", "@plain.bin", "0x3000")
		if table != "" {
			t.Errorf("%s", table)
		}
	}
	_, errs, code := b.run("batch", "@config.csv", "@values.csv", "@out", "--prefix", "gw", "--fileid", "mac", "--prefix-num", "7,3")
	if code != exitFailure || !strings.Contains(errs, "exists already") {
		t.Errorf("again: exit code %d: %s", code, errs)
	}
	b.write("same.csv", "mac,mqtt_user,port\nA1,alice,1883\nA1,bob,\n")
	_, errs, code = b.run("batch", "@config.csv", "@same.csv", "@more", "--fileid", "mac")
	if code != exitFailure || !strings.Contains(errs, "names an earlier unit") {
		t.Errorf("the same name: exit code %d: %s", code, errs)
	}
}

// flash is the image of a whole flash with a release and an NVS partition.
func (b nvsBench) flash(r *firmware.Release, nvs []byte) string {
	b.Helper()
	image := bytes.Repeat([]byte{0xFF}, r.FlashSize)
	for _, s := range r.Segments {
		copy(image[s.Offset:], s.Data)
	}
	copy(image[r.NVS.Offset:], nvs)
	return b.write("flash.bin", string(image))
}

func TestNVSInspect_wholeFlash(t *testing.T) {
	b := newNVSBench(t)
	b.factory()
	nvs, err := os.ReadFile(b.path("f.bin"))
	if err != nil {
		t.Fatal(err)
	}
	_, r := demoRelease(t)
	b.flash(r, nvs)
	for _, args := range [][]string{{"@flash.bin"}, {"@flash.bin", "--partition", "nvs"}} {
		if out := b.must(append([]string{"inspect"}, args...)...); !strings.Contains(out, "A1B2C3D4E5F6") || strings.Contains(out, "problem") {
			t.Errorf("%q: it shows %s", args, out)
		}
	}
	if out := b.must("diff", "@flash.bin", "@f.bin"); out != "" {
		t.Errorf("the partition differs from what it was made of: %s", out)
	}
	image, err := os.ReadFile(b.path("flash.bin"))
	if err != nil {
		t.Fatal(err)
	}
	b.write("program.bin", string(image[0x10000:]))
	b.write("short.bin", string(image[:0x9000]))
	for _, tc := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"inspect", "@flash.bin", "--partition", "otadata"}, exitUsage, "the NVS partitions of the flash are nvs"},
		{[]string{"inspect", "@f.bin", "--partition", "nvs"}, exitUsage, "no image of a whole flash"},
		{[]string{"inspect", "@program.bin"}, exitFailure, "no partition table at 0x8000"},
		{[]string{"inspect", "@short.bin"}, exitFailure, "cut short"},
		{[]string{"set", "@flash.bin", "gateway", "region", "string", "eu"}, exitFailure, "only that of an NVS partition"},
	} {
		out, errs, code := b.run(tc.args...)
		if code != tc.code || !strings.Contains(errs, tc.want) || strings.Count(out+errs, "\n") > 2 {
			t.Errorf("%v: exit code %d: %.300s%.300s; want %d with %q", tc.args, code, out, errs, tc.code, tc.want)
		}
	}
	if after, err := os.ReadFile(b.path("flash.bin")); err != nil || !bytes.Equal(after, image) {
		t.Errorf("a refused change was written: %v", err)
	}
}
