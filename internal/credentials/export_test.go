package credentials

import (
	"net/http"
)

// SetTransport makes a server source ask rt, so that tests of time need no network.
func SetTransport(s Source, rt http.RoundTripper) { s.(*server).client.Transport = rt }

// ParseAnswer is the parser of the config server's answers.
func ParseAnswer(body []byte, deviceID string) (Credentials, error) {
	return parseAnswer(body, deviceID)
}

// ParseCSV is the parser of a file of credentials.
func ParseCSV(data []byte) (map[string]Credentials, error) { return parseCSV(data) }
