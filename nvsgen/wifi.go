package nvsgen

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/sha1"
	"slices"
)

// wifiExtras makes the keys that Espressif's generator adds by itself beside
// the settings of the Wi-Fi driver (namespace nvs.net80211, though it looks at
// the key only).
type wifiExtras struct {
	station                  bool // the keys of the station are made
	ssid, password, authMode string
}

// Sizes that the Wi-Fi driver has for these blobs, as the generator writes them.
const (
	apInfoLen  = 140
	pmkLen     = 32
	pmkInfoPad = 100 // zeros before the key in ap.pmk_info
	// pmkRounds is how often WPA2 hashes a passphrase (IEEE 802.11i, H.4).
	pmkRounds = 4096
)

// of returns the entries to put before and after e, whose value column is text.
// Keys in taken are set by the file itself.
func (w *wifiExtras) of(e Entry, text string, taken map[[2]string]bool) (before, after []Entry) {
	switch e.Key {
	case "sta.ssid", "sta.pswd":
		if !w.station {
			w.station = true
			after = []Entry{
				Blob(e.Namespace, "sta.apinfo", bytes.Repeat([]byte{0xFF}, apInfoLen)),
				Blob(e.Namespace, "sta.pmk", make([]byte, pmkLen)),
				Blob(e.Namespace, "sta.apsw", make([]byte, 2)),
			}
		}
	case "ap.ssid":
		w.ssid = text
	case "ap.passwd":
		w.password = text
	case "ap.authmode":
		if text != "0" { // open network
			w.authMode = text
		}
	}
	isAP := e.Key == "ap.ssid" || e.Key == "ap.passwd" || e.Key == "ap.authmode"
	if isAP && w.ssid != "" && w.password != "" && w.authMode != "" {
		before = []Entry{Blob(e.Namespace, "ap.pmk_info", append(make([]byte, pmkInfoPad), pairwiseMasterKey(w.password, w.ssid)...))}
	}
	return untaken(before, e, taken), untaken(after, e, taken)
}

// untaken drops the entries that are set already, marks the others so, and
// gives them the row of the entry that they belong to.
func untaken(made []Entry, e Entry, taken map[[2]string]bool) []Entry {
	made = slices.DeleteFunc(made, func(m Entry) bool { return taken[[2]string{m.Namespace, m.Key}] })
	for i, m := range made {
		taken[[2]string{m.Namespace, m.Key}] = true
		made[i].row = e.row
	}
	return made
}

// pairwiseMasterKey is the key that WPA2 makes of a passphrase.
func pairwiseMasterKey(password, ssid string) []byte {
	key, err := pbkdf2.Key(sha1.New, password, []byte(ssid), pmkRounds, pmkLen)
	if err != nil {
		panic(err) // only for lengths that are constants here, or SHA-1 forbidden in FIPS mode
	}
	return key
}
