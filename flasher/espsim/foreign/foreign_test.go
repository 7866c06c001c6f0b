// Package foreign lets a client that is not ours judge the simulator:
// Espressif's esptool-js, over a small Web Serial port for Node.
package foreign

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/flasher/espsim"
)

// library is where flasher/stub/fetch.sh installs esptool-js.
const library = "../../stub/node_modules/esptool-js"

// seen is what flash.mjs reports of the chip.
type seen struct {
	Description string `json:"description"`
	MAC         string `json:"mac"`
	FlashID     int    `json:"flashID"`
	Stub        bool   `json:"stub"`
	Baud        int    `json:"baud"`
}

func TestEsptoolJS(t *testing.T) {
	if _, err := os.Stat(library); err != nil {
		t.Fatal("esptool-js is not installed; run: flasher/stub/fetch.sh (make test does)")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal("Node is not installed; run: make setup")
	}
	app := machineCode(t, 80_003)
	table := bytes.Repeat([]byte("partition table "), 192)
	for _, chip := range []struct {
		model       *espsim.Model
		description string
	}{
		{espsim.ESP32, "ESP32-D0WD-V3 (revision 3)"},
		{espsim.ESP32S3, "ESP32-S3 (QFN56) (revision v0.2)"},
		{espsim.ESP32C3, "ESP32-C3 (QFN32) (revision v0.4)"},
	} {
		for _, loader := range []string{"stub", "rom"} {
			t.Run(chip.model.Name+"/"+loader, func(t *testing.T) {
				t.Parallel()
				unit := espsim.New(espsim.Config{Model: chip.model, MAC: [6]byte{0x7C, 0xDF, 0xA1, 0x01, 0x02, 0xC0}})
				defer unit.Close()
				got := flash(t, node, unit, loader, map[int][]byte{0x8000: table, 0x10000: app})
				want := seen{chip.description, "7c:df:a1:01:02:c0", 0x1740EF, loader == "stub", 921600}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("what esptool-js saw (-want +got):\n%s", diff)
				}
				content := unit.Flash().Bytes()
				if !bytes.Equal(content[0x8000:0x8000+len(table)], table) || !bytes.Equal(content[0x10000:0x10000+len(app)], app) {
					t.Error("the flash does not hold what esptool-js wrote")
				}
				if blank := bytes.Repeat([]byte{0xFF}, 0x8000); !bytes.Equal(content[:0x8000], blank) {
					t.Error("flash in front of what was written has changed")
				}
			})
		}
	}
}

// flash runs esptool-js against the unit.
func flash(t *testing.T, node string, unit *espsim.Chip, loader string, files map[int][]byte) seen {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- unit.ServeRFC2217(ctx, listener) }()

	args := []string{"flash.mjs", library, listener.Addr().String(), loader, "921600"}
	dir := t.TempDir()
	for address, data := range files {
		path := filepath.Join(dir, fmt.Sprintf("%x.bin", address))
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, fmt.Sprintf("%#x=%s", address, path))
	}
	command := exec.CommandContext(ctx, node, args...)
	var said bytes.Buffer
	command.Stderr = &said
	out, err := command.Output()
	if err != nil {
		t.Fatalf("esptool-js: %v\n%s", err, said.Bytes())
	}
	cancel()
	if err := <-served; err != nil {
		t.Errorf("the simulator's server: %v", err)
	}
	var got seen
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("flash.mjs said %q: %v", out, err)
	}
	return got
}

// machineCode returns n bytes that compress like firmware: this test's own program.
func machineCode(t *testing.T, n int) []byte {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	return program[len(program)/3:][:n]
}
