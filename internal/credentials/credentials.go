// Package credentials says where a unit's MQTT credentials come from: a config
// server, a derivation from its device ID, or a file of pre-issued ones.
//
// Whatever the source, credentials come out only for the unit that was asked
// for, complete and usable; and no error, log or printed value shows a secret.
package credentials

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	// ErrUnauthorized is returned when the server refuses the token. No unit can
	// be provisioned until that is put right.
	ErrUnauthorized = errors.New("the config server refuses the token")
	// ErrUnavailable is returned when the server could not be asked, or could not answer, until the context ended.
	ErrUnavailable = errors.New("the config server is not available")
	// ErrUnknownUnit is returned when the source has no credentials for the unit.
	ErrUnknownUnit = errors.New("there are no credentials for this unit")
	// ErrBadAnswer is returned when credentials came that must not be used.
	ErrBadAnswer = errors.New("the credentials cannot be used")
)

// Credentials are what one unit needs to reach its MQTT broker.
type Credentials struct {
	DeviceID     string // the MAC as twelve upper-case hex digits
	MQTTUser     string // equal to DeviceID
	MQTTPassword Secret
	MQTTHost     string // "" if the source does not say
	MQTTPort     int    // 0 if the source does not say
}

// Source gives credentials. Its methods may be used by many goroutines.
type Source interface {
	// Name is one word for records and metrics: "server", "derive" or "csv".
	Name() string
	// Fetch returns the credentials of a unit. A source that has to wait, waits
	// until ctx ends.
	Fetch(ctx context.Context, deviceID string) (Credentials, error)
}

// Longest values that are taken, in bytes: a string in NVS holds 4000 with its
// end, and a host name in DNS 253.
const (
	maxPassword = 1024
	maxHost     = 253
)

var deviceIDRE = regexp.MustCompile(`^[0-9A-F]{12}$`)

func checkDeviceID(id string) error {
	if !deviceIDRE.MatchString(id) {
		return errors.New("device ID: want 12 upper-case hex digits, such as A1B2C3D4E5F6")
	}
	return nil
}

// check reports why c cannot be used for a unit. It names no values: one that
// came in the wrong place may be a secret.
func (c Credentials) check(deviceID string) error {
	switch {
	case c.DeviceID != deviceID && deviceIDRE.MatchString(c.DeviceID):
		return fmt.Errorf("they are for unit %s", c.DeviceID)
	case c.DeviceID != deviceID:
		return errors.New("device_id is not that of the unit")
	case c.MQTTUser != deviceID:
		return errors.New("mqtt_user is not the device ID: it has to be the same")
	case c.MQTTPassword == "":
		return errors.New("mqtt_password is empty")
	case len(c.MQTTPassword) > maxPassword:
		return fmt.Errorf("mqtt_password is longer than %d bytes", maxPassword)
	case !isText(c.MQTTPassword.Reveal()):
		return errors.New("mqtt_password has characters that cannot be typed")
	case len(c.MQTTHost) > maxHost || !isText(c.MQTTHost) || strings.ContainsAny(c.MQTTHost, " /@"):
		return errors.New("mqtt_host is not a host name")
	case c.MQTTPort < 0 || c.MQTTPort > 65535:
		return errors.New("mqtt_port is not from 1 to 65535")
	}
	return nil
}

func isText(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }) < 0
}
