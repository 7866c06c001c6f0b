package flasher

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/bits"
	"strings"
)

// Security says which of a chip's protections are burnt in.
type Security struct {
	SecureBoot      bool
	FlashEncryption bool
	SecureDownload  bool // the ROM answers a handful of commands only
}

// String names what is enabled, or "none".
func (s Security) String() string {
	var on []string
	for _, p := range []struct {
		on   bool
		name string
	}{{s.SecureBoot, "secure boot"}, {s.FlashEncryption, "flash encryption"}, {s.SecureDownload, "secure download mode"}} {
		if p.on {
			on = append(on, p.name)
		}
	}
	if len(on) == 0 {
		return "none"
	}
	return strings.Join(on, ", ")
}

// securityInfo is the answer to GET_SECURITY_INFO: flags u32, flash_crypt_cnt
// u8, key purposes u8 × 7, and, but for the S2, chip ID u32 and API version
// u32 (esptool loader.py get_security_info).
type securityInfo struct {
	Security
	chipID    uint32
	hasChipID bool
}

func parseSecurityInfo(data []byte) (securityInfo, error) {
	if len(data) < 12 {
		return securityInfo{}, fmt.Errorf("%w: security info of %d bytes", BadFrame, len(data))
	}
	flags := binary.LittleEndian.Uint32(data)
	info := securityInfo{Security: Security{
		SecureBoot:      flags&1 != 0,
		SecureDownload:  flags&(1<<2) != 0,
		FlashEncryption: bits.OnesCount8(data[4])%2 == 1,
	}}
	if len(data) >= 20 {
		info.chipID, info.hasChipID = binary.LittleEndian.Uint32(data[12:]), true
	}
	return info, nil
}

func (d *Device) securityInfo(ctx context.Context) (securityInfo, error) {
	r, err := d.command(ctx, GetSecurityInfo, nil, defaultTimeout)
	if err != nil {
		return securityInfo{}, err
	}
	return parseSecurityInfo(r.data)
}
