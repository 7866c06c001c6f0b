package espsim

import "slices"

// A Model is one kind of chip: everything in which chips differ, as numbers.
// Addresses are those of the chip's own bus.
type Model struct {
	Name   string // as esptool's --chip: "esp32s3"
	ChipID uint16 // in security info and in image headers

	// Magic is what the ROM holds at 0x40001000; esptool tells the chips that
	// have no chip ID by it.
	Magic uint32
	// SecurityInfo is the length of the answer to GET_SECURITY_INFO in bytes:
	// 0 (no such command), 12 (without chip ID), or 20.
	SecurityInfo int
	// BeginWords is the number of 32-bit words that the ROM's FLASH_BEGIN takes: 4,
	// or 5 where flash encryption can be asked for.
	BeginWords int

	ROM ROM

	BootloaderOffset uint32 // where in flash the ROM looks for the second stage
	Crystal          int    // Hz; the UART's clock while the ROM runs
	// ROMCrystal is what the ROM takes the crystal for when it sets a baud
	// rate, in Hz; 0 is Crystal.
	ROMCrystal       int
	UARTClockDivider uint32 // register: crystal ÷ baud rate, 20 bits
	SPI              SPIRegisters
	// Registers is what registers hold after a reset that is not 0.
	Registers map[uint32]uint32
	// FlashSupply is what registers say when the flash has power, however it came
	// to that: some bits of one, and which of them are set. Address 0 is always.
	FlashSupply    Bits
	FlashSupplySet uint32
	// FlashPins are those that the flash is on, as in SPI_ATTACH; 0 is the usual ones.
	FlashPins uint32
	Efuses    Efuses
	Straps    Straps
	Watchdog  Watchdog
	// LargeFlash: the stub reaches more than 16 MiB of flash.
	LargeFlash bool
	Console    Console
	Log        BootWords
}

// ROM is in what the loaders in mask ROM differ. Those of ESP32, ESP32-S3 and
// ESP32-C3 were looked into; the others are taken for the C3's where it is not
// worse than usual.
type ROM struct {
	APIVersion uint32 // as GET_SECURITY_INFO tells it
	Ring       int    // bytes that wait while the loader is busy; 0 is not known
	// KeepsSync: the answer to the first SYNC is what an answer to an unknown
	// command is made of. Elsewhere that takes a second one.
	KeepsSync bool
	// WholeWindows: FLASH_DEFL_DATA ends by programming 32 KiB, however few are left.
	WholeWindows bool
	// stray is the transfer that FLASH and MEM commands go on with where there was
	// no BEGIN before them: what lies on the stack.
	stray transfer
	// AddressBits: there is a command for the length of flash addresses.
	AddressBits bool
	// LoadFault and StoreFault are the console's words for an access to nowhere; ""
	// is a loader that dies without one.
	LoadFault, StoreFault string
	// DivisionTraps: asked for 0 baud the loader dies.
	DivisionTraps bool
	// StartsNothing: with secure boot on, the loader leaves for no program but by a
	// reset.
	StartsNothing bool
}

// SPIRegisters are those of the controller that the flash hangs on.
type SPIRegisters struct {
	Base, User, User1, User2, MOSILength, MISOLength, W0 uint32
	// AddressOnTop: the ADDR register is sent from its top bit down.
	AddressOnTop bool
}

// spiAt returns the registers of the controller at base, as they lie since ESP32-S2.
func spiAt(base uint32) SPIRegisters {
	return SPIRegisters{Base: base, User: 0x18, User1: 0x1C, User2: 0x20, MOSILength: 0x24, MISOLength: 0x28, W0: 0x58}
}

// Efuses tells where the fuses are read and what they say beside the MAC.
type Efuses struct {
	// MAC is the address of the word with the MAC's last four bytes; the next
	// word holds the first two.
	MAC uint32
	// MACCRC: the second word has a CRC-8 of the MAC in bits 16 to 23 (ESP32).
	MACCRC bool
	// BesideMAC is the upper half of the second word on other chips: FFFE where
	// the chip has an EUI-64, the revision on ESP32-C2.
	BesideMAC uint16
	// Words are the fuses with other contents: revision, package.
	Words map[uint32]uint32
	// SecureBoot and FlashEncryption are the bits that say so.
	SecureBoot, FlashEncryption Bits
}

// Bits are bits of the word at an address; Address 0 is none.
type Bits struct{ Address, Mask uint32 }

// Straps is how the boot mode is seen by programs.
type Straps struct {
	Register           uint32 // GPIO_STRAP; 0 if not modelled
	Download, Flash    uint32 // its value in either mode, also printed in the boot log
	ForceDownload      Bits   // the RTC register that forces download mode
	DownloadModeName   string // as in the boot log
	FlashBootModeName  string
	DownloadReadyWords string // what the ROM prints when it waits for a host
}

// Watchdog is the RTC watchdog and the super watchdog. A chip without
// (Config0 == 0) is one where esptool resets no chip through them.
type Watchdog struct {
	Config0, Config1, Protect uint32
	SuperConfig, SuperProtect uint32
	SuperKey, SuperAutoFeed   uint32
}

// watchdogKey unlocks the RTC watchdog's registers on every chip
// (esptool targets/*.py, RTC_CNTL_WDT_WKEY).
const watchdogKey = 0x50D83AA1

// Console is the ROM variable that tells over which port it talks.
type Console struct {
	Address       uint32 // 0 if not modelled
	USBSerialJTAG uint32 // its value there; 0 if the chip has no such unit
	USBOTG        uint32
}

// BootWords are the chip's own words in the boot log.
type BootWords struct {
	Banner []string // the lines the ROM begins with
	Resets map[resetCause]string
	// LeftLoader is what the ROM prints when FLASH_END tells it to run user code.
	LeftLoader string
	Flash      []string // lines between the reset line and the segments of the bootloader
}

// Models returns all chip kinds.
func Models() []*Model {
	return []*Model{ESP32, ESP32S2, ESP32S3, ESP32C2, ESP32C3, ESP32C5, ESP32C6, ESP32C61, ESP32H2, ESP32P4}
}

// ModelNamed returns the model with esptool's name, such as "esp32s3".
func ModelNamed(name string) (*Model, bool) {
	all := Models()
	i := slices.IndexFunc(all, func(m *Model) bool { return m.Name == name })
	if i < 0 {
		return nil, false
	}
	return all[i], true
}
