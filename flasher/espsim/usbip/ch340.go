package usbip

// ch340 is WCH's bridge. WCH publishes no description; the requests and
// registers are those of Linux's drivers/usb/serial/ch341.c.
type ch340 struct{ registers [256]byte }

// Registers of the baud rate generator.
const (
	ch340Prescaler = 0x12
	ch340Divisor   = 0x13
	ch340Clock     = 48_000_000 // Hz
)

func (c *ch340) control(m modem, s setup, _ []byte) ([]byte, bool) {
	const (
		getVersion    = 0x5F
		readRegister  = 0x95
		writeRegister = 0x9A
		initialise    = 0xA1
		modemControl  = 0xA4
	)
	switch s.request {
	case getVersion:
		return []byte{0x31, 0x00}, true
	case readRegister: // two at a time: their numbers in the value's two bytes
		return []byte{c.registers[byte(s.value)], c.registers[byte(s.value>>8)]}, true
	case writeRegister:
		c.registers[byte(s.value)], c.registers[byte(s.value>>8)] = byte(s.index), byte(s.index>>8)
		if byte(s.value) == ch340Prescaler {
			m.setBaud(c.baud())
		}
	case initialise:
		m.discardInput()
	case modemControl: // the pins: asserted is low
		m.setLines(s.value&0x20 == 0, s.value&0x40 == 0)
	default:
		return nil, false
	}
	return nil, true
}

// baud is what the generator makes: the clock through a prescaler of
// 2^(12-3·p-f), p in bits 0 and 1 and f in bit 2, and a divisor of 256 less
// the register.
func (c *ch340) baud() int {
	p, f := c.registers[ch340Prescaler]&3, c.registers[ch340Prescaler]>>2&1
	return ch340Clock / (1 << (12 - 3*p - f)) / (256 - int(c.registers[ch340Divisor]))
}

// ch340Body is one interface; its interrupt endpoint tells of modem lines.
var ch340Body = []byte{
	9, 4, 0, 0, 3, 0xFF, 1, 2, 0,
	7, 5, 0x82, 2, 32, 0, 0,
	7, 5, 0x02, 2, 32, 0, 0,
	7, 5, 0x81, 3, 8, 0, 1,
}
