package credentials

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// answer is what the config server says about a unit. It says more
// (provision_date); what is not needed is not read.
type answer struct {
	DeviceID     string      `json:"device_id"`
	MQTTUser     string      `json:"mqtt_user"`
	MQTTPassword string      `json:"mqtt_password"`
	MQTTHost     string      `json:"mqtt_host"`
	MQTTPort     json.Number `json:"mqtt_port"` // a number, or one in quotes
}

// parseAnswer reads the body of an answer about a unit. Its errors quote nothing
// of the body, which may hold a password in any place.
func parseAnswer(body []byte, deviceID string) (Credentials, error) {
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		var typ *json.UnmarshalTypeError
		if errors.As(err, &typ) && typ.Field != "" {
			return Credentials{}, fmt.Errorf("%w: %s has the wrong type", ErrBadAnswer, typ.Field)
		}
		return Credentials{}, fmt.Errorf("%w: the answer is not a JSON object", ErrBadAnswer)
	}
	c := Credentials{DeviceID: a.DeviceID, MQTTUser: a.MQTTUser, MQTTPassword: Secret(a.MQTTPassword), MQTTHost: a.MQTTHost}
	if a.MQTTPort != "" {
		port, err := strconv.ParseUint(a.MQTTPort.String(), 10, 16)
		if err != nil || port == 0 {
			return Credentials{}, fmt.Errorf("%w: mqtt_port is not from 1 to 65535", ErrBadAnswer)
		}
		c.MQTTPort = int(port)
	}
	if err := c.check(deviceID); err != nil {
		return Credentials{}, fmt.Errorf("%w: %w", ErrBadAnswer, err)
	}
	return c, nil
}
