package firmware

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func FuzzParseManifest(f *testing.F) {
	sum := hexSHA256(nil)
	m := &manifest{
		Schema: manifestSchema, Name: "gateway-1.4.2", Chip: "esp32s3", FlashSize: 8 << 20,
		Project: "gateway", Version: "1.4.2", Source: "esp-idf", Imported: time.Unix(1_770_000_000, 0).UTC(),
		Segments: []manifestSegment{{Name: "app0", File: "app0.bin", Offset: 0x10000, Size: 1, SHA256: sum}},
		NVS:      manifestNVS{Label: "nvs", Offset: 0x9000, Size: 0x5000, Namespace: "gateway", Template: templateName, TemplateSHA256: sum},
	}
	data, err := m.marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseManifest(data)
		if err != nil {
			return
		}
		// What parses marshals to what parses to the same.
		again, err := m.marshal()
		if err != nil {
			t.Fatal(err)
		}
		same, err := parseManifest(again)
		if err != nil {
			t.Fatalf("%v\n%s", err, again)
		}
		if diff := cmp.Diff(m, same); diff != "" {
			t.Fatal(diff)
		}
		for _, s := range m.Segments {
			if !namePattern.MatchString(s.File) {
				t.Fatalf("file %q", s.File)
			}
		}
	})
}

func FuzzParseIDF(f *testing.F) {
	f.Add([]byte(`{"flash_files":{"0x0":"bootloader/bootloader.bin","0x10000":"app.bin"},"flash_settings":{"flash_size":"8MB"},"app":{"encrypted":"false"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if b, err := parseIDF(data); err == nil && len(b.parts) == 0 {
			t.Fatal("no parts and no error")
		}
	})
}

func FuzzParseWebTools(f *testing.F) {
	f.Add([]byte(`{"name":"x","builds":[{"chipFamily":"ESP32-S3","parts":[{"path":"a.bin","offset":0}]}]}`), "esp32s3")
	f.Fuzz(func(t *testing.T, data []byte, chip string) {
		if b, err := parseWebTools(data, chip); err == nil && (len(b.parts) == 0 || chip != "" && b.chip != chip) {
			t.Fatalf("%+v", b)
		}
	})
}
