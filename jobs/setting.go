package jobs

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The bounds of what a rework can set, in bytes: a value is recorded and so kept
// to what people type.
const (
	maxSettings     = 32
	maxSettingName  = 15 // of a key or a namespace in NVS
	maxSettingValue = 1000
)

// settingTypes are the encodings of Espressif's NVS files that a value can be
// written in.
var settingTypes = []string{"u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64", "string", "hex2bin", "base64"}

// secretNameRE knows keys that hold secrets by what people call them. The record
// keeps all values that were set, and so must see none of these.
var secretNameRE = regexp.MustCompile(`(?i)pass|pwd|pswd|psk|pmk|secret|token|salt|bearer|private|cred|(^|[._-])(api)?key([._-]|$)`)

// SplitSetting takes the name of an NVS key apart: KEY, NAMESPACE:KEY or
// NAMESPACE:KEY:TYPE. Namespace and type may be empty.
func SplitSetting(name string) (namespace, key, kind string) {
	namespace, key, ok := strings.Cut(name, ":")
	if !ok {
		return "", name, ""
	}
	key, kind, _ = strings.Cut(key, ":")
	return namespace, key, kind
}

// CheckSetting reports why an NVS key cannot be set to a value by a rework. The
// name is KEY, NAMESPACE:KEY or NAMESPACE:KEY:TYPE, with a type of Espressif's NVS
// files such as u16. Keys that hold secrets are refused, and so are values that
// look like one: what a rework sets is recorded. The error holds no value.
func CheckSetting(name, value string) error {
	namespace, key, kind := SplitSetting(name)
	for _, part := range []string{namespace, key} {
		if len(part) > maxSettingName || strings.ContainsFunc(part, func(r rune) bool { return !unicode.IsGraphic(r) || r == utf8.RuneError || r == '=' }) {
			return fmt.Errorf("key %.60q: a key and its namespace have up to %d letters, digits and signs each", name, maxSettingName)
		}
	}
	switch {
	case key == "":
		return fmt.Errorf("key %.60q: want KEY or NAMESPACE:KEY", name)
	case strings.Count(name, ":") > 2, kind == "" && strings.Count(name, ":") == 2:
		return fmt.Errorf("key %.60q: want KEY, NAMESPACE:KEY or NAMESPACE:KEY:TYPE", name)
	case kind != "" && !slices.Contains(settingTypes, kind):
		return fmt.Errorf("key %.60q: there is no type %.20q: use one of %s", name, kind, strings.Join(settingTypes, ", "))
	case secretNameRE.MatchString(key):
		return fmt.Errorf("key %s: it is called like a secret, and what a rework sets is recorded: leave it to the source of credentials", name)
	case secretRE.MatchString(value):
		return fmt.Errorf("key %s: the value looks like a secret, and what a rework sets is recorded", name)
	case len(value) > maxSettingValue || !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
		return fmt.Errorf("key %s: the value is no line of text of at most %d bytes", name, maxSettingValue)
	}
	return nil
}

func checkSettings(set map[string]string) error {
	if len(set) > maxSettings {
		return fmt.Errorf("%d keys are to be set, at most %d can", len(set), maxSettings)
	}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if err := CheckSetting(name, set[name]); err != nil {
			return err
		}
	}
	return nil
}
