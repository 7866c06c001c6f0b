package credentials

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"unicode/utf8"
)

// minSalt is the shortest salt, in characters: everybody can read a device ID
// off the board, so the salt is all that keeps the passwords apart from a guess.
const minSalt = 32

// DeriveConfig says how passwords are derived, and what broker they are for.
type DeriveConfig struct {
	Salt Secret // the config server's SECRET_SALT, at least 32 characters
	Host string // of the MQTT broker; may be empty
	Port int    // of the MQTT broker; may be 0
}

type derive struct {
	credentials func(deviceID string) Credentials // has the salt: fmt cannot look into a function
}

// NewDerive returns a source that works without a server: a unit's password is
// the SHA-256 of its device ID followed by the salt, in lower-case hex, as the
// config server computes it.
func NewDerive(c DeriveConfig) (Source, error) {
	if n := utf8.RuneCountInString(c.Salt.Reveal()); n < minSalt {
		return nil, fmt.Errorf("the salt has %d characters: use one of at least %d", n, minSalt)
	}
	const anyUnit = "000000000000"
	if err := c.credentials(anyUnit).check(anyUnit); err != nil {
		return nil, err
	}
	return &derive{c.credentials}, nil
}

func (*derive) Name() string { return "derive" }

func (d *derive) Fetch(_ context.Context, deviceID string) (Credentials, error) {
	if err := checkDeviceID(deviceID); err != nil {
		return Credentials{}, err
	}
	return d.credentials(deviceID), nil
}

func (c DeriveConfig) credentials(deviceID string) Credentials {
	sum := sha256.Sum256([]byte(deviceID + c.Salt.Reveal()))
	return Credentials{
		DeviceID: deviceID, MQTTUser: deviceID, MQTTPassword: Secret(hex.EncodeToString(sum[:])),
		MQTTHost: c.Host, MQTTPort: c.Port,
	}
}
