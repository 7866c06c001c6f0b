package firmware

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// sdkconfigName is where ESP-IDF's build keeps the configuration of a build,
// also under PlatformIO.
const sdkconfigName = "config/sdkconfig.json"

// sdkconfig is what of it says how the firmware opens NVS (esp-idf
// components/nvs_flash/Kconfig, components/nvs_sec_provider/Kconfig).
type sdkconfig struct {
	Encryption bool `json:"NVS_ENCRYPTION"`
	HMAC       bool `json:"NVS_SEC_KEY_PROTECT_USING_HMAC"`
}

// checkNVSConfig refuses builds whose firmware would not open NVS as the release
// writes it: it would erase every entry of it and report success. A build that
// does not encrypt by configuration may still do so by its own code.
func checkNVSConfig(root *os.Root, encrypted bool) error {
	data, err := readFile(root, sdkconfigName, maxManifest)
	if errors.Is(err, os.ErrNotExist) {
		return nil // Arduino, or images alone
	}
	if err != nil {
		return err
	}
	var c sdkconfig
	if err := json.Unmarshal(data, &c); err != nil {
		return fmt.Errorf("%s: %w", sdkconfigName, err)
	}
	switch {
	case c.Encryption && c.HMAC:
		return errors.New("the firmware encrypts NVS by the HMAC scheme, which wants a key burnt into an eFuse, and flashd burns none: " +
			"build with the scheme that has its keys in an nvs_keys partition, or with CONFIG_NVS_ENCRYPTION off")
	case c.Encryption && !encrypted:
		return errors.New("the firmware encrypts NVS (CONFIG_NVS_ENCRYPTION) and would erase a plain partition: " +
			"import with --nvs-encrypted, or build with it off")
	}
	return nil
}
