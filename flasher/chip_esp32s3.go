package flasher

// ESP32S3 is the chip of the XIAO boards. Source: esptool/targets/esp32s3.py.
var ESP32S3 = Chip{
	Name: "esp32s3", Title: "ESP32-S3", ImageID: 9, LargeFlash: true,
	macReg:        efuseMAC(0x60007044),
	spi:           usualSPI(0x60002000),
	forceDownload: 0x6000812C,
	watchdogs:     rtcWatchdogs(0x60008098, 0x600080B0, 0x600080B4, 0x600080B8),
	revision:      esp32s3Revision,
}

// esp32s3Revision: the first silicon has other things where later ones have
// their revision, and is told by the version of its efuse blocks (esp32s3.py
// is_eco0).
func esp32s3Revision(read regReader) (Revision, error) {
	const block1, block2 = 0x60007044, 0x6000705C
	raw, err := fusedRevision(
		[]fuses{{block1 + 3*4, 18, 3}, {block1 + 5*4, 23, 1}},
		[]fuses{{block1 + 5*4, 24, 2}},
	)(read)
	if err != nil || raw%100&7 != 0 {
		return raw, err
	}
	blockVersion, err := number(read, fuses{block1 + 3*4, 24, 3}, fuses{block2 + 4*4, 0, 2})
	if blockVersion == 1|1<<3 { // 1.1
		raw = 0
	}
	return raw, err
}
