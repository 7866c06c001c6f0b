package credentials_test

import (
	"bytes"
	"errors"
	"testing"

	"hoptech.co.nz/flashd/internal/credentials"
)

// Whatever a server says: credentials are usable and for the right unit, or there are none.
func FuzzParseAnswer(f *testing.F) {
	f.Add([]byte(answerA))
	f.Add([]byte(`{"device_id":null,"mqtt_port":"1e3"}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := credentials.ParseAnswer(data, unitA)
		if err != nil {
			if c.MQTTPassword != "" || !errors.Is(err, credentials.ErrBadAnswer) {
				t.Errorf("credentials beside the error %v", err)
			}
			return
		}
		checkUsable(t, unitA, c)
	})
}

func FuzzParseCSV(f *testing.F) {
	f.Add([]byte("device_id,mqtt_user,mqtt_password\n" + unitA + "," + unitA + ",s3cret-one\n"))
	f.Add([]byte("\ufeffmqtt_password,mqtt_port,mqtt_host,device_id,mqtt_user\r\n\"a\n\"\"\",1,h," + unitA + "," + unitA + "\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, err := credentials.ParseCSV(data)
		if err != nil && rows != nil {
			t.Errorf("rows beside the error %v", err)
		}
		for id, c := range rows {
			checkUsable(t, id, c)
		}
	})
}

func checkUsable(t *testing.T, unit string, c credentials.Credentials) {
	t.Helper()
	if c.DeviceID != unit || c.MQTTUser != unit || c.MQTTPassword == "" || c.MQTTPort < 0 || c.MQTTPort > 65535 ||
		bytes.ContainsAny([]byte(c.MQTTPassword.Reveal()+c.MQTTHost), "\x00\n\r") {
		t.Errorf("unit %s was given %q", unit, c.MQTTPassword.Reveal())
	}
}
