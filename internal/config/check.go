package config

import (
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"hoptech.co.nz/flashd/flasher"
)

// check notes what is wrong with the values of c.
func (f *file) check(c *Config) {
	if strings.TrimSpace(c.Station) == "" {
		f.problemAt("station", "give the station a name, or leave the key out for the host name")
	}
	f.folder("state_dir", c.StateDir)
	f.folder("images_dir", c.ImagesDir)
	f.checkAPI(c)
	f.checkReleases(c)
	f.checkSlots()
	f.between("usb.max_per_hub", c.USB.MaxPerHub, 0, 255)
	f.between("flasher.baud", c.Flasher.Baud, 9600, 5_000_000)
	if err := flasher.CheckResetSequence(c.Flasher.Reset); err != nil && c.Flasher.Reset != "" {
		f.problemAt("flasher.reset", "%v", err)
	}
	f.between("max_retries", c.MaxRetries, 0, 10)
	if c.BootCheck.Enabled {
		f.lasting("boot_check.timeout", c.BootCheck.Timeout, time.Second, 5*time.Minute)
	}
	f.checkCredentials(c.Credentials)
	f.checkEscrow(c)
	f.checkRetention(c.Retention)
	f.lasting("hooks.timeout", c.Hooks.Timeout, 100*time.Millisecond, 5*time.Minute)
	f.oneOf("log.format", c.Log.Format, "text", "json")
	f.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	slices.SortStableFunc(f.problems, func(a, b Problem) int { return a.Line - b.Line })
}

func (f *file) checkReleases(c *Config) {
	for key, name := range map[string]string{"release": c.Release, "previous_release": c.PreviousRelease} {
		if strings.ContainsAny(name, `/\`) || strings.HasPrefix(name, ".") {
			f.problemAt(key, "want the name of a release, not a path; flashd image list shows them")
		}
	}
	if c.PreviousRelease != "" && c.PreviousRelease == c.Release {
		f.problemAt("previous_release", "it is the release to write; name the one that units hold already")
	}
}

func (f *file) checkCredentials(c Credentials) {
	switch c.Source {
	case "": // none chosen; simulations and checks of the file need none
	case FromServer:
		f.checkServer(c.Server)
	case FromDerive:
		f.secret("credentials.derive.salt", c.Derive.SaltFile, c.Derive.SaltEnv)
		f.between("credentials.derive.mqtt_port", c.Derive.MQTTPort, 0, 65535)
		if strings.ContainsAny(c.Derive.MQTTHost, "/:@ ") {
			f.problemAt("credentials.derive.mqtt_host", "want a host name alone, such as mqtt.example.com")
		}
	case FromCSV:
		if c.CSV.File == "" {
			f.problemAt("credentials.csv.file", "name the file of credentials")
		}
	default:
		f.oneOf("credentials.source", string(c.Source), string(FromServer), string(FromDerive), string(FromCSV))
	}
}

// checkEscrow keeps the keys out of folders that are backed up, copied or
// served with what is no secret.
func (f *file) checkEscrow(c *Config) {
	const key = "nvs.key_escrow_dir"
	dir := c.NVS.KeyEscrowDir
	switch {
	case dir == "" && f.nodes[key] != nil:
		f.problemAt(key, "name a folder, or leave the key out to keep the keys in the units alone")
	case dir != "" && filepath.Clean(dir) == filepath.Clean(c.StateDir):
		f.problemAt(key, "keys do not belong with the record, which holds no secrets; name a folder of their own")
	case dir != "" && filepath.Clean(dir) == filepath.Clean(c.ImagesDir):
		f.problemAt(key, "keys do not belong with the releases; name a folder of their own")
	}
}

func (f *file) checkServer(s Server) {
	const key = "credentials.server.url"
	u, err := url.Parse(s.URL)
	switch {
	case s.URL == "":
		f.problemAt(key, "name the config server, such as https://config.example.com")
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		f.problemAt(key, "want an address such as https://config.example.com")
	case u.User != nil:
		f.problemAt(key, "user and password do not belong here; the server takes the token of token_file")
	case u.Scheme == "http" && !isLoopback(u.Hostname()) && !s.AllowPlainHTTP:
		f.problemAt(key, "over http everybody on the way can read the credentials; use https, or set allow_plain_http: true if you mean it")
	}
	f.secret("credentials.server.token", s.TokenFile, s.TokenEnv)
	f.lasting("credentials.server.timeout", s.Timeout, 100*time.Millisecond, 5*time.Minute)
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// secret wants exactly one of the keys base_file and base_env. It shows neither
// value: somebody may have put the secret itself there.
func (f *file) secret(base, file, env string) {
	switch {
	case file == "" && env == "":
		f.problemAt(base+"_file", "name the file that holds the secret, or an environment variable in %s_env", base[strings.LastIndexByte(base, '.')+1:])
	case file != "" && env != "":
		f.problemAt(base+"_env", "the secret is in a file or in an environment variable; remove one of the two keys")
	case env != "" && !envName.MatchString(env):
		f.problemAt(base+"_env", "want the name of an environment variable, such as FLASHD_TOKEN, and not what is in it")
	}
}

func (f *file) folder(key, path string) {
	if path == "" {
		f.problemAt(key, "name a folder")
	}
}

func (f *file) between(key string, value, least, most int) {
	if value < least || value > most {
		f.problemAt(key, "%d is out of range; want %d to %d", value, least, most)
	}
}

func (f *file) lasting(key string, value, least, most time.Duration) {
	if value < least || value > most {
		f.problemAt(key, "%v is out of range; want %v to %v", value, least, most)
	}
}

func (f *file) oneOf(key, value string, words ...string) {
	if !slices.Contains(words, value) {
		last := len(words) - 1
		f.problemAt(key, "%q is not known; want %s or %s", value, strings.Join(words[:last], ", "), words[last])
	}
}
