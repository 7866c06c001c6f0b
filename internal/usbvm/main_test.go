//go:build usbvm

package usbvm_test

import (
	"testing"

	"hoptech.co.nz/flashd/internal/usbvm"
)

func TestMain(m *testing.M) {
	usbvm.Main(m, usbvm.Config{
		Modules: []string{"vhci-hcd", "cdc-acm", "cp210x", "ch341"},
	})
}
