// Package config reads flashd.yaml. It is strict: a key that is not known, a
// value of the wrong kind or out of range, a slot named twice are problems, and
// all of them are told at once, each in a sentence with its place in the file.
//
// The file holds no secrets, only where they are; whoever needs one reads it
// (package credentials).
package config

import (
	"cmp"
	"os"
	"time"
)

// Config is flashd.yaml. Paths in it are absolute or relative to the folder of
// the file; Load returns them resolved.
type Config struct {
	Station   string `yaml:"station"`    // name of this station in records and on the board; default the host name
	StateDir  string `yaml:"state_dir"`  // where the record is kept
	Listen    string `yaml:"listen"`     // HOST:PORT of board, API and metrics
	API       API    `yaml:"api"`        //
	ImagesDir string `yaml:"images_dir"` // where releases are
	Release   string `yaml:"release"`    // the release to write; "" until one is chosen
	// PreviousRelease is the one that units are believed to hold; "" if nothing is known.
	PreviousRelease string      `yaml:"previous_release"`
	Slots           Slots       `yaml:"slots"`       // the fixture; empty: every board that comes is in a slot of its own
	USB             USB         `yaml:"usb"`         //
	Flasher         Flasher     `yaml:"flasher"`     //
	BootCheck       BootCheck   `yaml:"boot_check"`  //
	Credentials     Credentials `yaml:"credentials"` //
	NVS             NVS         `yaml:"nvs"`         //
	Retention       Retention   `yaml:"retention"`   //
	Hooks           Hooks       `yaml:"hooks"`       //
	Log             Log         `yaml:"log"`         //
	MaxRetries      int         `yaml:"max_retries"` // how often an attempt that the rig spoilt is begun again by itself
}

// API says who may change something over Listen, and how that is kept private.
type API struct {
	TokenFile string `yaml:"token_file"` // holds the token that changes want; neither it nor TokenEnv: they are refused
	TokenEnv  string `yaml:"token_env"`  // environment variable that holds it
	CertFile  string `yaml:"cert_file"`  // PEM certificate, with its chain, for TLS; "": plain HTTP
	KeyFile   string `yaml:"key_file"`   // its key, PEM
	Names     Names  `yaml:"names"`      // that requests may call the station by, beside those of the certificate
}

// USB says which devices are boards, and how many share a hub's bandwidth.
type USB struct {
	Accept    IDs `yaml:"accept"`      // beside Espressif's and the usual bridges
	MaxPerHub int `yaml:"max_per_hub"` // boards behind one hub that are written at once; 0: all
}

// Flasher is about the line to a chip.
type Flasher struct {
	Baud  int    `yaml:"baud"`  // bits per second after connecting at 115200
	Stub  bool   `yaml:"stub"`  // use Espressif's stub, which is faster than the ROM loader
	Reset string `yaml:"reset"` // how boards get into download mode that are wired otherwise, as esptool's custom_reset_sequence
}

// BootCheck says whether, and how long, a unit is watched as it starts.
type BootCheck struct {
	Enabled bool          `yaml:"enabled"`
	Timeout time.Duration `yaml:"timeout"`
}

// Credentials says where MQTT credentials come from.
type Credentials struct {
	Source Source `yaml:"source"` // which of the three; "" until one is chosen
	Server Server `yaml:"server"`
	Derive Derive `yaml:"derive"`
	CSV    CSV    `yaml:"csv"`
}

// A Source is one of the three places that credentials come from.
type Source string

// The sources.
const (
	FromServer Source = "server" // a config server issues them
	FromDerive Source = "derive" // they are computed from the device ID and a salt
	FromCSV    Source = "csv"    // they were issued before and are in a file
)

// Server is the config server. One of TokenFile and TokenEnv is set if it is
// the source.
type Server struct {
	URL            string        `yaml:"url"`
	TokenFile      string        `yaml:"token_file"` // holds the bearer token
	TokenEnv       string        `yaml:"token_env"`  // environment variable that holds it
	CAFile         string        `yaml:"ca_file"`    // PEM certificates to trust instead of the system's; "" for the system's
	Timeout        time.Duration `yaml:"timeout"`    // of one request
	AllowPlainHTTP bool          `yaml:"allow_plain_http"`
}

// Derive is the derivation. One of SaltFile and SaltEnv is set if it is the
// source.
type Derive struct {
	SaltFile string `yaml:"salt_file"` // holds the salt
	SaltEnv  string `yaml:"salt_env"`  // environment variable that holds it
	MQTTHost string `yaml:"mqtt_host"` // of the broker; "" if the firmware knows it
	MQTTPort int    `yaml:"mqtt_port"` // of the broker; 0 if the firmware knows it
}

// CSV is the file of credentials issued before.
type CSV struct {
	File string `yaml:"file"`
}

// NVS is about releases with encrypted NVS.
type NVS struct {
	KeyEscrowDir string `yaml:"key_escrow_dir"` // gets a copy of each unit's keys; "": they are kept in the unit alone
}

// Log is how the daemon logs.
type Log struct {
	Format string `yaml:"format"` // text or json
	Level  string `yaml:"level"`  // debug, info, warn or error
}

// Default returns the settings that hold where no file says otherwise. Its
// paths are relative to the working directory.
func Default() *Config {
	host, err := os.Hostname()
	if err != nil {
		host = "" // a kernel without a name; "flashd" will do
	}
	return &Config{
		Station:     cmp.Or(host, "flashd"),
		StateDir:    "state",
		Listen:      "127.0.0.1:9470",
		ImagesDir:   "firmware-images",
		Flasher:     Flasher{Baud: 921600, Stub: true},
		BootCheck:   BootCheck{Enabled: true, Timeout: 15 * time.Second},
		Credentials: Credentials{Server: Server{Timeout: 10 * time.Second}},
		Hooks:       Hooks{Timeout: 10 * time.Second},
		Log:         Log{Format: "text", Level: "info"},
		MaxRetries:  2,
	}
}
