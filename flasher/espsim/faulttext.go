package espsim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// FaultUsage tells how a kind of fault is written and what it does.
type FaultUsage struct {
	Kind   FaultKind
	Fields []string // that it reads, as ParseFault takes them
	Effect string
}

// FaultUsages returns all kinds of fault.
func FaultUsages() []FaultUsage { return slices.Clone(faultUsages) }

// atCommand are the fields that pick a command.
var atCommand = []string{"op", "nth", "times"}

var faultUsages = []FaultUsage{
	{DropByte, []string{"byte"}, "a byte from the host is lost"},
	{GarbleByte, []string{"byte"}, "a byte from the host arrives inverted"},
	{DetachByte, []string{"byte"}, "the unit is unplugged at a byte from the host"},
	{Stall, append([]string{"for"}, atCommand...), "a command is taken up after a while only"},
	{Silence, atCommand, "a command is carried out, its answer lost"},
	{Reject, append([]string{"value"}, atCommand...), "a command is refused with a status"},
	{DetachCommand, atCommand, "the unit is unplugged at a command"},
	{BrownOut, atCommand, "the supply dips at a command and the chip resets"},
	{DeadSector, []string{"address"}, "a sector of the flash keeps what it holds"},
	{FlashID, []string{"value"}, "the flash lies about its ID"},
	{FlashMode, nil, "the flash was left in a mode from which the ROM cannot boot"},
	{XMCStart, nil, "the flash is one of XMC that did not start with the supply"},
	{StuckDownload, nil, "every reset ends in download mode"},
	{StuckBoot, nil, "no reset ends in download mode"},
	{WrongMACCRC, nil, "the CRC of the MAC in the efuses is wrong (ESP32)"},
	{MaxBaud, []string{"value"}, "the line garbles what is faster than this many baud"},
	{NoStub, nil, "an uploaded program does not start"},
	{SilentApp, nil, "the application boots but logs nothing"},
	{OtherDeviceID, nil, "the application logs another unit's device ID"},
	{DetachOnReboot, nil, "the unit is gone when it boots from flash after a session"},
}

// ParseFault reads a fault as text: its kind, then the fields that this kind reads,
// such as "reject,op=0x11,nth=3,value=0x105,times=-1" or "stall,nth=20,for=5s".
func ParseFault(s string) (Fault, error) {
	words := strings.Split(s, ",")
	kind := FaultKind(words[0])
	i := slices.IndexFunc(faultUsages, func(u FaultUsage) bool { return u.Kind == kind })
	if i < 0 {
		return Fault{}, fmt.Errorf("fault %q: unknown kind %q; known are %s", s, kind, kindNames())
	}
	f := Fault{Kind: kind}
	for _, w := range words[1:] {
		if err := f.set(w, faultUsages[i].Fields); err != nil {
			return Fault{}, fmt.Errorf("fault %q: %w", s, err)
		}
	}
	return f, nil
}

func kindNames() string {
	var names []string
	for _, u := range faultUsages {
		names = append(names, string(u.Kind))
	}
	return strings.Join(names, ", ")
}

// set reads one field; fields are those that the kind of fault reads.
func (f *Fault) set(word string, fields []string) (err error) {
	name, value, _ := strings.Cut(word, "=")
	if !slices.Contains(fields, name) {
		if len(fields) == 0 {
			return fmt.Errorf("%s takes no fields, not %q", f.Kind, name)
		}
		return fmt.Errorf("unknown field %q; %s takes %s", name, f.Kind, strings.Join(fields, ", "))
	}
	switch name {
	case "for":
		f.For, err = time.ParseDuration(value)
		if err == nil && f.For < 0 {
			err = fmt.Errorf("for: want a time that is not negative, not %q", value)
		}
	case "op":
		err = number(name, value, 0, 0xFF, func(n int64) { f.Op = uint8(n) })
	case "nth":
		err = number(name, value, 1, 1<<31-1, func(n int64) { f.Nth = int(n) })
	case "times":
		err = number(name, value, -1, 1<<31-1, func(n int64) { f.Times = int(n) })
	case "byte":
		err = number(name, value, 0, 1<<62, func(n int64) { f.Byte = n })
	case "address":
		err = number(name, value, 0, 0xFFFFFFFF, func(n int64) { f.Address = uint32(n) })
	case "value":
		err = number(name, value, 0, 0xFFFFFFFF, func(n int64) { f.Value = uint32(n) })
	}
	return err
}

// number reads a field that is one, decimal or with a prefix such as 0x.
func number(name, text string, least, most int64, set func(int64)) error {
	n, err := strconv.ParseInt(text, 0, 64)
	if err != nil || n < least || n > most {
		return fmt.Errorf("%s: want a number from %d to %d, not %q", name, least, most, text)
	}
	set(n)
	return nil
}
