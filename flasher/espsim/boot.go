package espsim

import (
	"bytes"
	"errors"
	"fmt"
	"time"
)

// retryBoot is how long the ROM's timer watchdog lets a chip with nothing to
// boot try before it resets it.
const retryBoot = 300 * time.Millisecond

// boot is what a chip does from reset on. It returns when it is reset again.
func (c *Chip) boot(cause resetCause, download bool) error {
	m := c.model
	for _, line := range m.Log.Banner {
		if err := c.print(line); err != nil {
			return err
		}
	}
	strap, mode := m.Straps.Flash, m.Straps.FlashBootModeName
	if download {
		strap, mode = m.Straps.Download, m.Straps.DownloadModeName
	}
	if err := c.print(fmt.Sprintf("rst:%s,boot:0x%x (%s)", m.Log.Resets[cause], strap, mode)); err != nil {
		return err
	}
	if download {
		return c.downloadMode()
	}
	return c.bootFlash()
}

// downloadMode is the ROM loader. What the host sends before it listens is lost.
func (c *Chip) downloadMode() error {
	ready := c.model.Straps.DownloadReadyWords
	if c.cfg.Security.SecureDownload {
		ready = "wait uart download(secure mode)" // in the ROMs of S3 and C3
	}
	if err := c.print(ready); err != nil {
		return err
	}
	if err := c.busy(c.cfg.Timing.ROMStart); err != nil {
		return err
	}
	if c.cfg.Timing.ROMStart > 0 {
		c.feed(nowhere{}, c.cpu.clock, false)
	}
	c.enter(Download)
	return c.runROM()
}

// nowhere is a receiver that is not on yet.
type nowhere struct{}

func (nowhere) byte(byte) bool { return false }

// bootFlash is the ROM booting the second stage, with its watchdog on.
func (c *Chip) bootFlash() error {
	m := c.model
	if c.leavesForGood() {
		return errCut
	}
	if m.Watchdog.Config0 != 0 && c.cfg.Wiring == USBSerialJTAG {
		c.cpu.dog.start(flashBootTimeout)
	}
	c.cpu.flash.pins = m.FlashPins // as the efuses say
	if c.cpu.flash.strange {
		return c.bootFailed("invalid header: 0xffffffff")
	}
	stage2, err := checkImage(c.flash, int64(m.BootloaderOffset), int64(tableOffset-m.BootloaderOffset), m.ChipID)
	if err != nil {
		return c.bootFailed(err.Error())
	}
	for _, line := range m.Log.Flash {
		if err := c.print(line); err != nil {
			return err
		}
	}
	for _, s := range stage2.segments {
		if err := c.print(fmt.Sprintf("load:0x%08x,len:0x%x", s.address, s.length)); err != nil {
			return err
		}
	}
	if err := c.print(fmt.Sprintf("entry 0x%08x", stage2.entry)); err != nil {
		return err
	}
	return c.secondStage()
}

// leavesForGood carries out the fault of a unit that does not come back from a
// session in download mode.
func (c *Chip) leavesForGood() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stats.Commands == 0 || !c.faults.has(DetachOnReboot) {
		return false
	}
	c.unplug()
	return true
}

// bootFailed says why, and tries again for ever.
func (c *Chip) bootFailed(why string) error {
	c.enter(BootLoop)
	if err := c.print(why); err != nil {
		return err
	}
	if err := c.busy(retryBoot); err != nil {
		return err
	}
	c.discardInput()
	return restart{resetByTimer}
}

// secondStage is ESP-IDF's bootloader: partition table, choice of application,
// its check.
func (c *Chip) secondStage() error {
	if err := c.setBaud(resetBaud); err != nil {
		return err
	}
	rows := readTable(c.flash)
	if len(rows) == 0 {
		return c.bootFailed("E (50) flash_parts: partition 0 invalid magic number 0xffff\r\n" +
			"E (53) boot: Failed to verify partition table\r\nE (57) boot: load partition table error!")
	}
	for _, line := range tableLog(rows) {
		if err := c.print(line); err != nil {
			return err
		}
	}
	app, ok := bootable(c.flash, rows)
	if !ok {
		return c.bootFailed("E (80) boot: No bootable app partitions in the partition table")
	}
	if _, err := checkImage(c.flash, int64(app.offset), int64(app.size), c.model.ChipID); err != nil {
		var header headerError
		if errors.As(err, &header) {
			err = fmt.Errorf("image at 0x%x has invalid magic byte (nothing flashed here?)", app.offset)
		}
		return c.bootFailed(fmt.Sprintf("E (84) esp_image: %v\r\nE (90) boot: Factory app partition is not bootable\r\n"+
			"E (96) boot: No bootable app partitions in the partition table", err))
	}
	if err := c.print(fmt.Sprintf("I (120) boot: Loaded app from partition at offset 0x%x", app.offset)); err != nil {
		return err
	}
	if err := c.busy(c.cfg.Timing.AppStart); err != nil {
		return err
	}
	return c.application(rows)
}

// tableLog is the partition table as the bootloader logs it.
func tableLog(rows []partition) []string {
	log := []string{"I (40) boot: Partition Table:", "I (44) boot: ## Label            Usage          Type ST Offset   Length"}
	for i, p := range rows {
		log = append(log, fmt.Sprintf("I (%d) boot: %2d %-16s %-14s %02x %02x %08x %08x",
			50+6*i, i, p.label, usage(p), p.kind, p.subtype, p.offset, p.size))
	}
	return append(log, "I (100) boot: End of partition table")
}

func usage(p partition) string {
	switch {
	case p.kind == kindApp && p.subtype == subtypeFactory:
		return "factory app"
	case p.kind == kindApp:
		return "OTA app"
	case p.kind == kindData && p.subtype == subtypeNVS:
		return "WiFi data"
	case p.kind == kindData && p.subtype == subtypeOTAData:
		return "OTA data"
	default:
		return "Unknown data"
	}
}

// application is the gateway firmware: it reads its configuration from its own
// NVS partition and logs what it found, never the password.
func (c *Chip) application(rows []partition) error {
	c.cpu.dog.start(0)
	for _, line := range c.applicationLog(rows) {
		if err := c.print(line); err != nil {
			return err
		}
	}
	c.enter(App)
	return c.halt()
}

func (c *Chip) applicationLog(rows []partition) []string {
	c.mu.Lock()
	silent, other := c.faults.has(SilentApp), c.faults.has(OtherDeviceID)
	c.mu.Unlock()
	if silent {
		return nil
	}
	id := bytes.Clone(c.cfg.MAC[:])
	if other {
		id[5]++
	}
	log := []string{"Gateway firmware starting", fmt.Sprintf("Device ID: %X", id)}
	nvs, ok := find(rows, kindData, subtypeNVS)
	if !ok {
		return append(log, "No NVS partition found.", "No configuration found in flash.")
	}
	raw := make([]byte, nvs.size)
	c.flash.read(raw, int(nvs.offset))
	err := checkNVS(raw)
	if err == nil {
		err = decryptNVS(raw, c.flash, rows)
	}
	if err != nil {
		return append(log, "NVS: "+err.Error(), "No configuration found in flash.")
	}
	values := readNVS(raw, "gateway")
	if p := values["provisioned"]; len(p) == 0 || p[0] != 1 {
		return append(log, "No configuration found in flash.")
	}
	return append(log, fmt.Sprintf("MQTT user: %s", values["mqtt_user"]), "Connecting to MQTT broker...", "MQTT connected.")
}
