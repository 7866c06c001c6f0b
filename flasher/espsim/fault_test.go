package espsim_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/flasher/espsim"
)

func TestFaultsAtCommands(t *testing.T) {
	const read = 0x0A
	inFaultyStub := func(f espsim.Fault, test func(*testing.T, *client)) {
		t.Helper()
		cfg := realistic
		cfg.Faults = []espsim.Fault{f}
		inStub(t, cfg, test)
	}
	ask := func(c *client) { c.write(request(read, words(0x40001000), 0)) }

	inFaultyStub(espsim.Fault{Kind: espsim.Reject, Op: read, Nth: 2, Times: 2, Value: 0xC400}, func(t *testing.T, c *client) {
		var got []uint16
		for range 4 {
			got = append(got, c.command(read, 0x40001000).stubStatus())
		}
		if diff := cmp.Diff([]uint16{0, 0xC400, 0xC400, 0}, got); diff != "" {
			t.Errorf("reject (-want +got):\n%s", diff)
		}
	})
	inFaultyStub(espsim.Fault{Kind: espsim.Stall, Op: read, For: 5 * time.Second}, func(t *testing.T, c *client) {
		begin := time.Now()
		c.command(read, 0x40001000)
		if took := time.Since(begin); took < 5*time.Second {
			t.Errorf("stall: answered after %v", took)
		}
	})
	inFaultyStub(espsim.Fault{Kind: espsim.Silence, Op: read}, func(t *testing.T, c *client) {
		if ask(c); c.next(time.Second) != nil {
			t.Error("silence: answered")
		}
		if ask(c); c.next(time.Second) == nil {
			t.Error("silence: the next one was not answered")
		}
	})
	inFaultyStub(espsim.Fault{Kind: espsim.BrownOut, Op: read}, func(t *testing.T, c *client) {
		ask(c)
		c.settle()
		if got := c.chip.State(); got != espsim.BootLoop {
			t.Errorf("brown-out: the chip is in %v", got)
		}
	})
	inFaultyStub(espsim.Fault{Kind: espsim.DetachCommand, Op: read}, func(t *testing.T, c *client) {
		ask(c)
		time.Sleep(100 * ms)
		if _, err := c.port.Write([]byte{0}); !errors.Is(err, espsim.ErrDetached) {
			t.Errorf("detach: %v", err)
		}
	})
}

func TestFaultsAtBytes(t *testing.T) {
	// Byte 9 of a SYNC is the first of the word that the answers repeat.
	for _, tc := range []struct {
		kind    espsim.FaultKind
		answers int
		value   uint32
	}{{espsim.DropByte, 8, 0x55201207}, {espsim.GarbleByte, 8, 0x201207F8}, {espsim.DetachByte, 0, 0}} {
		cfg := realistic
		cfg.Model = espsim.ESP32S3
		cfg.Faults = []espsim.Fault{{Kind: tc.kind, Byte: 9}}
		inBubble(t, cfg, func(t *testing.T, c *client) {
			got := c.sync()
			if len(got) != tc.answers || len(got) > 0 && got[0].value != tc.value {
				t.Errorf("%s: answers %+v, want %d of %#x", tc.kind, got, tc.answers, tc.value)
			}
			if _, err := c.port.Write([]byte{0}); errors.Is(err, espsim.ErrDetached) != (tc.kind == espsim.DetachByte) {
				t.Errorf("%s: the port says %v", tc.kind, err)
			}
		})
	}
}

func TestFaultyUnits(t *testing.T) {
	boots := func(f espsim.Fault) (string, espsim.State) {
		return bootLog(t, espsim.Config{Model: espsim.ESP32S3, Flash: unit(t, espsim.ESP32S3, nil), Faults: []espsim.Fault{f}})
	}
	if _, got := boots(espsim.Fault{Kind: espsim.StuckDownload}); got != espsim.Download {
		t.Errorf("stuck: %v", got)
	}
	if log, _ := boots(espsim.Fault{Kind: espsim.OtherDeviceID}); !strings.Contains(log, "Device ID: A1B2C3D4E5F7") {
		t.Errorf("device-id: %s", log)
	}
	if log, got := boots(espsim.Fault{Kind: espsim.SilentApp}); got != espsim.App || strings.Contains(log, "Device ID") {
		t.Errorf("silent-app: %v %s", got, log)
	}
	faulty := func(f espsim.Fault, model *espsim.Model, test func(*testing.T, *client)) {
		inBubble(t, espsim.Config{Model: model, Flash: unit(t, model, nil), Faults: []espsim.Fault{f}}, test)
	}
	faulty(espsim.Fault{Kind: espsim.StuckBoot}, espsim.ESP32S3, func(t *testing.T, c *client) {
		if got := c.chip.State(); got != espsim.App {
			t.Errorf("stuck-boot: %v", got)
		}
	})
	faulty(espsim.Fault{Kind: espsim.DetachOnReboot}, espsim.ESP32S3, func(t *testing.T, c *client) {
		c.sync()
		c.lines(hard)
		c.settle()
		if _, err := c.chip.Open(); !errors.Is(err, espsim.ErrDetached) {
			t.Errorf("detach-boot: %v", err)
		}
	})
	faulty(espsim.Fault{Kind: espsim.WrongMACCRC}, espsim.ESP32, func(t *testing.T, c *client) {
		c.sync()
		if a := c.command(0x0A, 0x3FF5A008); uint8(a.value>>16) == 0xB2 {
			t.Error("mac-crc: the CRC is right")
		}
	})
	faulty(espsim.Fault{Kind: espsim.NoStub}, espsim.ESP32S3, func(t *testing.T, c *client) {
		c.sync()
		c.command(0x05, 64, 1, 0x1800, 0x40380000)
		c.data(0x07, 0, make([]byte, 64))
		c.command(0x06, 0, 0x40380010)
		if c.next(time.Second) != nil {
			t.Error("no-stub: OHAI")
		}
	})
	faulty(espsim.Fault{Kind: espsim.MaxBaud, Value: 460800}, espsim.ESP32S3, func(t *testing.T, c *client) {
		c.sync()
		c.command(0x0F, 921600, 0)
		time.Sleep(ms) // the ROM sends two ENDs at the old rate
		c.setBaud(921600)
		block, sum := block(0, noise(0x400))
		good := 0
		for range 20 {
			c.write(request(0x05, words(0x400, 1, 0x400, 0x40380000), 0))
			c.write(request(0x07, block, sum))
			if got := c.all(); len(got) == 2 && got[1].tail[0] == 0 {
				good++
			}
		}
		if good == 20 {
			t.Error("max-baud: every block came through")
		}
	})
}

func TestParseFault(t *testing.T) {
	got, err := espsim.ParseFault("reject,op=0x11,nth=3,times=-1,value=0xC400")
	want := espsim.Fault{Kind: espsim.Reject, Op: 0x11, Nth: 3, Times: -1, Value: 0xC400}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("ParseFault: %v (-want +got):\n%s", err, diff)
	}
	for _, bad := range []string{
		"", "explode", "reject,nth", "reject,nth=x", "stall,for=5", "stall,for=-5s", "drop,where=1",
		"drop,op=3", "stuck,nth=1", "reject,op=256", "reject,nth=0", "drop,byte=-1", "flash-id,value=0x100000000",
	} {
		if f, err := espsim.ParseFault(bad); err == nil {
			t.Errorf("ParseFault(%q) = %+v, want an error", bad, f)
		}
	}
}

// TestFaultUsages: what the list says can be written, field by field.
func TestFaultUsages(t *testing.T) {
	for _, u := range espsim.FaultUsages() {
		text := string(u.Kind)
		for _, field := range u.Fields {
			value := "=1"
			if field == "for" {
				value = "=1s"
			}
			text += "," + field + value
		}
		if f, err := espsim.ParseFault(text); err != nil || f.Kind != u.Kind || u.Effect == "" {
			t.Errorf("ParseFault(%q) = %+v, %v", text, f, err)
		}
	}
}
