package firmware_test

import (
	"bytes"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/flasher"
	"hoptech.co.nz/flashd/internal/firmware"
	"hoptech.co.nz/flashd/nvsgen"
)

// encryptedDemo returns a demo release whose units get encrypted NVS.
func encryptedDemo(t testing.TB, chip string) (imagesDir string, r *firmware.Release) {
	t.Helper()
	imagesDir = t.TempDir()
	r, err := firmware.DemoEncrypted(imagesDir, "demo", chip)
	if err != nil {
		t.Fatal(err)
	}
	return imagesDir, r
}

func TestDemoEncrypted(t *testing.T) {
	for _, chip := range flasher.Chips {
		imagesDir, r := encryptedDemo(t, chip.Name)
		if r.NVSKeys == nil || r.NVSKeys.Label != "nvs_keys" || r.NVSKeys.Size != nvsgen.KeysSize {
			t.Errorf("%s: keys partition %+v", chip, r.NVSKeys)
		}
		loaded, err := firmware.Load(imagesDir, "demo")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r.NVSKeys, loaded.NVSKeys); diff != "" {
			t.Errorf("%s (-made +loaded):\n%s", chip, diff)
		}
		list, err := firmware.List(imagesDir)
		if err != nil || len(list) != 1 || !list[0].Encrypted {
			t.Errorf("%s: listed as %+v, %v", chip, list, err)
		}
	}
	imagesDir, _ := encryptedDemo(t, "esp32")
	if _, err := firmware.DemoEncrypted(imagesDir, "demo", "esp32"); !errors.Is(err, firmware.ErrExists) {
		t.Errorf("a second one: error %v", err)
	}
}

// Each unit gets keys of its own, and they open its NVS partition.
func TestPersonalEncrypted(t *testing.T) {
	_, r := encryptedDemo(t, "esp32s3")
	seen := map[string]bool{}
	for range 3 {
		own, err := r.Personal(unit)
		if err != nil {
			t.Fatal(err)
		}
		if len(own.NVS) != r.NVS.Size || len(own.Keys) != nvsgen.KeysSize {
			t.Fatalf("NVS of %d bytes, keys of %d", len(own.NVS), len(own.Keys))
		}
		if bytes.Contains(own.NVS, []byte(unit["mqtt_user"])) {
			t.Error("the user can be read without the keys")
		}
		keys, err := nvsgen.ParseKeys(own.Keys)
		if err != nil {
			t.Fatal(err)
		}
		p, err := nvsgen.ParseEncrypted(own.NVS, keys)
		if err != nil {
			t.Fatal(err)
		}
		for key, want := range map[string]nvsgen.Value{
			"mqtt_user": nvsgen.Text(unit["mqtt_user"]), "mqtt_pass": nvsgen.Text(unit["mqtt_pass"]), "provisioned": nvsgen.Uint8(1),
		} {
			if got, _ := p.Lookup("gateway", key); got != want {
				t.Errorf("%s is %v, want %v", key, got, want)
			}
		}
		seen[string(own.Keys)] = true
	}
	if len(seen) != 3 {
		t.Errorf("%d different keys for 3 units", len(seen))
	}
}

// What the firmware would erase is refused before anything is written.
func TestPersonalCheck(t *testing.T) {
	_, plainRelease := demo(t, "esp32s3")
	_, r := encryptedDemo(t, "esp32s3")
	plain, err := plainRelease.Personal(unit)
	if err != nil {
		t.Fatal(err)
	}
	good, err := r.Personal(unit)
	if err != nil {
		t.Fatal(err)
	}
	other, err := r.Personal(unit)
	if err != nil {
		t.Fatal(err)
	}
	if err := good.Check(plain.NVS); err != nil {
		t.Errorf("what is right: %v", err)
	}
	changed := func(b []byte, at int) []byte {
		b = bytes.Clone(b)
		b[at] ^= 1
		return b
	}
	for _, tt := range []struct {
		name string
		own  firmware.Personal
		is   error
	}{
		{"another unit's keys", firmware.Personal{NVS: good.NVS, Keys: other.Keys}, nvsgen.ErrWrongKeys},
		{"no keys", firmware.Personal{NVS: good.NVS}, nvsgen.ErrKeys},
		{"blank keys", firmware.Personal{NVS: good.NVS, Keys: bytes.Repeat([]byte{0xFF}, nvsgen.KeysSize)}, nvsgen.ErrKeys},
		{"a bit of the keys", firmware.Personal{NVS: good.NVS, Keys: changed(good.Keys, 5)}, nvsgen.ErrKeys},
		{"plain NVS", firmware.Personal{NVS: plain.NVS, Keys: good.Keys}, nvsgen.ErrWrongKeys},
		{"a bit of an entry", firmware.Personal{NVS: changed(good.NVS, 64+7), Keys: good.Keys}, nil},
		{"a bit of the data of a string", firmware.Personal{NVS: changed(good.NVS, 64+2*32+7), Keys: good.Keys}, nil},
	} {
		switch err := tt.own.Check(plain.NVS); {
		case err == nil:
			t.Errorf("%s: accepted", tt.name)
		case tt.is != nil && !errors.Is(err, tt.is):
			t.Errorf("%s: error %v, want %v", tt.name, err, tt.is)
		}
	}
}

// withTable is the folder of a PlatformIO build with that partition table.
func withTable(t *testing.T, rows ...flasher.Partition) map[string][]byte {
	t.Helper()
	files := pioFolder(t, "esp32s3")
	table, err := flasher.ParsePartitionTable(files["partitions.bin"])
	if err != nil {
		t.Fatal(err)
	}
	table[4].Size -= 0x10000 // of spiffs, so that there is room at its end
	table = append(table, rows...)
	if files["partitions.bin"], err = table.MarshalBinary(); err != nil {
		t.Fatal(err)
	}
	return files
}

func keysRow(offset, size uint32, label string) flasher.Partition {
	return flasher.Partition{Type: flasher.DataPartition, SubType: flasher.NVSKeys, Offset: offset, Size: size, Label: label}
}

const roomAt = 0x7E0000 // where withTable has 64 KiB to give

func TestImportEncrypted(t *testing.T) {
	files := withTable(t, keysRow(roomAt+0x2000, 0x2000, "keys"), keysRow(roomAt, 0x1000, "other_keys"))
	r, err := firmware.Import(t.TempDir(), "x", folder(t, files), firmware.ImportOptions{NVSEncrypted: true})
	if err != nil {
		t.Fatal(err)
	}
	// The firmware takes the first row of the table.
	if diff := cmp.Diff(&firmware.Partition{Label: "keys", Offset: roomAt + 0x2000, Size: 0x2000}, r.NVSKeys); diff != "" {
		t.Error(diff)
	}
	r, err = firmware.Import(t.TempDir(), "x", folder(t, files), firmware.ImportOptions{})
	if err != nil || r.NVSKeys != nil {
		t.Errorf("not asked for: keys partition %+v, %v", r.NVSKeys, err)
	}
}

func TestImportEncryptedRefuses(t *testing.T) {
	encrypted := firmware.ImportOptions{NVSEncrypted: true}
	wantError(t, pioFolder(t, "esp32s3"), encrypted, "no nvs_keys partition (type data, subtype nvs_keys)", "add one of 4096 bytes", "HMAC", "eFuse")
	wantError(t, withTable(t, keysRow(roomAt, 0x800, "nvs_keys")), encrypted, "partition nvs_keys (0x7e0000 to 0x7e0800) has 2048 bytes", "need at least 4096")

	idf := idfFolder(t, "esp32s3")
	idf["partition_table/partition-table.bin"] = withTable(t, keysRow(roomAt, 0x1000, "nvs_keys"))["partitions.bin"]
	idf["keys.bin"] = nvsgen.NewKeys().Marshal()
	idf["flasher_args.json"] = bytes.Replace(idf["flasher_args.json"], []byte(`"0x8000":`), []byte(`"0x7e0000":"keys.bin","0x8000":`), 1)
	wantError(t, idf, encrypted, "keys.bin at 0x7e0000 writes over the partition nvs_keys (0x7e0000 to 0x7e1000) that is for each unit's own keys")
}

// A release has to fit how the firmware was configured to open NVS.
func TestImportAsksTheBuild(t *testing.T) {
	files := withTable(t, keysRow(roomAt, 0x1000, "nvs_keys"))
	plain, encrypted := firmware.ImportOptions{}, firmware.ImportOptions{NVSEncrypted: true}
	for _, tt := range []struct {
		name, config string
		opts         firmware.ImportOptions
		want         string // "": accepted
	}{
		{"none of it", `{"IDF_TARGET": "esp32s3", "NVS_ENCRYPTION": false}`, plain, ""},
		{"by its own code", `{"NVS_ENCRYPTION": false}`, encrypted, ""},
		{"by nvs_keys", `{"NVS_ENCRYPTION": true, "NVS_SEC_KEY_PROTECT_USING_FLASH_ENC": true}`, encrypted, ""},
		{"by nvs_keys, not asked for", `{"NVS_ENCRYPTION": true}`, plain, "would erase a plain partition: import with --nvs-encrypted"},
		{"by HMAC", `{"NVS_ENCRYPTION": true, "NVS_SEC_KEY_PROTECT_USING_HMAC": true, "NVS_SEC_HMAC_EFUSE_KEY_ID": 4}`, encrypted, "flashd burns none"},
		{"by HMAC, not asked for", `{"NVS_ENCRYPTION": true, "NVS_SEC_KEY_PROTECT_USING_HMAC": true}`, plain, "eFuse"},
		{"damaged", `{"NVS_ENCRYPTION": 1}`, plain, "config/sdkconfig.json: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files := maps.Clone(files)
			files["config/sdkconfig.json"] = []byte(tt.config)
			if tt.want != "" {
				wantError(t, files, tt.opts, tt.want)
				return
			}
			r, err := firmware.Import(t.TempDir(), "x", folder(t, files), tt.opts)
			if err != nil {
				t.Fatal(err)
			}
			if (r.NVSKeys != nil) != tt.opts.NVSEncrypted {
				t.Errorf("keys partition %+v", r.NVSKeys)
			}
		})
	}
}

// Errors about one unit of such a release say no secret either.
func TestPersonalEncryptedErrors(t *testing.T) {
	_, r := encryptedDemo(t, "esp32s3")
	_, err := r.Personal(firmware.Values{"mqtt_user": "user", "mqtt_pass": strings.Repeat("hush", 1000)})
	if err == nil || strings.Contains(err.Error(), "hush") || !strings.Contains(err.Error(), "key mqtt_pass") {
		t.Errorf("error %v", err)
	}
}
