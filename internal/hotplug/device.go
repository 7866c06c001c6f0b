package hotplug

// Device is a serial device on the USB tree.
type Device struct {
	Path         string // place on the tree: "1-1.2" is bus 1, port 1, port 2 of the hub there
	VID, PID     uint16
	Serial       string // as the device tells it; often "0001" or nothing
	Product      string // likewise
	TTY          string // device file: /dev/ttyACM0; "" while it has none
	Bus, Address int    // the kernel gives a new address each time the device is enumerated
}

// EventKind says what happened to a device.
type EventKind uint8

// The kinds of events.
const (
	Attach EventKind = iota + 1 // it is there and its TTY can be opened
	Detach                      // it is gone
)

// String returns "attach" or "detach".
func (k EventKind) String() string {
	if k == Attach {
		return "attach"
	}
	return "detach"
}

// Event is a device that came or went.
type Event struct {
	Kind   EventKind
	Device Device
}
