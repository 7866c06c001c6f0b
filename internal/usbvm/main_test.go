//go:build usbvm

package usbvm_test

import (
	"os"
	"strings"
	"testing"

	"hoptech.co.nz/flashd/internal/usbvm"
)

func TestMain(m *testing.M) {
	usbvm.Main(m, usbvm.Config{
		Modules:  []string{"vhci-hcd", "cdc-acm", "cp210x", "ch341"},
		Spares:   []string{"xhci-pci", "ftdi-sio"},
		Devices:  hub,
		Memory:   2048,
		Apart:    []string{"TestCrowd", "TestCampaign", "TestPlugCyclesLeakNothing"},
		Programs: []string{"udevadm", "flashd", "espflasher"},
		Files: map[string]string{
			"/etc/passwd":                        "testdata/passwd",
			"/etc/group":                         "testdata/group",
			"/etc/udev/rules.d/60-flashd.rules":  "../../deploy/60-flashd.rules",
			"/lib/udev/rules.d/50-default.rules": os.Getenv("USBVM_ROOT") + "/lib/udev/rules.d/50-udev-default.rules",
			"/lib/udev/rules.d/60-serial.rules":  os.Getenv("USBVM_ROOT") + "/lib/udev/rules.d/60-serial.rules",
		},
	})
}

// hub is one of QEMU's with bridges of FTDI's, one of them behind a second hub.
// It shows when the driver of its controller is loaded.
var hub = strings.Fields(`
	-device qemu-xhci,id=xhci
	-device usb-hub,bus=xhci.0,port=1 -device usb-hub,bus=xhci.0,port=1.3
	-chardev null,id=a -device usb-serial,bus=xhci.0,port=1.1,chardev=a,always-plugged=on
	-chardev null,id=b -device usb-serial,bus=xhci.0,port=1.2,chardev=b,always-plugged=on
	-chardev null,id=c -device usb-serial,bus=xhci.0,port=1.3.4,chardev=c,always-plugged=on`)
