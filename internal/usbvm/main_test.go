//go:build usbvm

package usbvm_test

import (
	"os"
	"testing"

	"hoptech.co.nz/flashd/internal/usbvm"
)

func TestMain(m *testing.M) {
	usbvm.Main(m, usbvm.Config{
		Modules:  []string{"vhci-hcd", "cdc-acm", "cp210x", "ch341"},
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
