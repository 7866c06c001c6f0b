package usbip

import (
	"fmt"

	"hoptech.co.nz/flashd/flasher/espsim"
)

// Adapter is what stands between the chip and the cable.
type Adapter uint8

// The kinds of adapter.
const (
	USBSerialJTAG Adapter = iota // the chip's own unit: 303A:1001, its serial number is the MAC
	USBOTG                       // the ROM's console on the chip's USB-OTG: 303A:CHIP; it stays on the bus, as with an application that has a console there
	CP2102                       // 10C4:EA60, like all its kind with the serial number 0001
	CH340                        // 1A86:7523, without a serial number
)

var adapterNames = [...]string{"USB-Serial/JTAG", "USB-OTG", "CP2102", "CH340"}

func (a Adapter) String() string { return adapterNames[a] }

func (a Adapter) wiring() espsim.Wiring {
	if a == CP2102 || a == CH340 {
		return espsim.Bridge
	}
	return espsim.USBSerialJTAG
}

// gadget is an adapter as USB sees it, fresh from power-on.
type gadget struct {
	deviceIdentity
	endpoints
	buffer int // towards the host, in bytes
	class  classRequests
}

func (a Adapter) gadget(model *espsim.Model, mac [6]byte) *gadget {
	const (
		espressif  = 0x303A
		compositeA = 0xEF // interface association
	)
	switch a {
	case USBSerialJTAG:
		return &gadget{
			deviceIdentity: deviceIdentity{
				vid: espressif, pid: 0x1001, release: 0x0101, class: [3]byte{compositeA, 2, 1}, interfaces: 3,
				strings: []string{"Espressif", "USB JTAG/serial debug unit", serialOf(mac)},
				body:    append(append([]byte{}, acmBody...), jtagBody...),
			},
			endpoints: endpoints{in: 1, out: 1}, buffer: 64, class: &acm{},
		}
	case USBOTG:
		return &gadget{
			deviceIdentity: deviceIdentity{
				vid: espressif, pid: model.ChipID, release: 0x0100, class: [3]byte{compositeA, 2, 1}, interfaces: 2,
				strings: []string{"Espressif", model.Name, "0"}, body: acmBody,
			},
			endpoints: endpoints{in: 1, out: 1}, buffer: 64, class: &acm{},
		}
	case CP2102:
		return &gadget{
			deviceIdentity: deviceIdentity{
				vid: 0x10C4, pid: 0xEA60, release: 0x0100, interfaces: 1,
				strings: []string{"Silicon Labs", "CP2102 USB to UART Bridge Controller", "0001"}, body: cp2102Body,
			},
			endpoints: endpoints{in: 1, out: 1}, buffer: 576, class: newCP2102(),
		}
	case CH340:
		return &gadget{
			deviceIdentity: deviceIdentity{
				vid: 0x1A86, pid: 0x7523, release: 0x0264, class: [3]byte{0xFF, 0, 0}, interfaces: 1,
				strings: []string{"", "USB Serial", ""}, body: ch340Body,
			},
			endpoints: endpoints{in: 2, out: 2}, buffer: 128, class: &ch340{},
		}
	default:
		panic(fmt.Sprintf("usbip: no adapter %d", a))
	}
}

// serialOf is a MAC as Espressif's USB unit has it for a serial number.
func serialOf(mac [6]byte) string {
	return fmt.Sprintf("%02X:%02X:%02X:%02X:%02X:%02X", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5])
}
